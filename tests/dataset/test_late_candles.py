import pandas as pd
import pytest

from freqai_signals.dataset.late_candles import PATIENCE_CANDLES, late_pairs

NOON = pd.Timestamp("2024-01-01 12:00", tz="UTC")


@pytest.mark.parametrize(
    ("behind", "late"),
    [(-1, False), (0, False), (1, True), (PATIENCE_CANDLES, True), (PATIENCE_CANDLES + 1, False)],
)
def test_a_pair_is_late_until_it_counts_as_halted(behind: int, late: bool) -> None:
    newest = {"ETH/USDT": NOON - behind * pd.Timedelta("5min"), "BTC/USDT": NOON}
    assert late_pairs(newest, NOON, 300) == (("ETH/USDT",) if late else ())


def test_a_pair_that_never_had_candles_keeps_nobody_waiting() -> None:
    assert late_pairs({"ETH/USDT": None}, NOON, 300) == ()
