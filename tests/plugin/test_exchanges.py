"""The table of exchanges in the docs says what freqtrade's own classes say."""

from pathlib import Path

import pytest
from freqtrade import exchange as exchanges

from freqai_signals.config import settings_from_config
from freqai_signals.plugin.exchange_facts import exchange_facts
from freqai_signals.plugin.startup import startup_candles

EXCHANGES = ("binance", "bybit", "gate", "hyperliquid", "kraken", "kucoin", "okx")
TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")


def table(repo: Path, heading: str) -> dict[tuple[str, ...], list[str]]:
    """Rows below a heading, by their first two cells."""
    text = (
        (repo / "docs" / "exchanges.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    )
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines()
            if line.startswith("|")]  # fmt: skip
    return {(row[0], row[1]): row[2:] for row in rows[2:]}


def test_limits_in_the_docs_are_those_of_freqtrades_classes(repo: Path) -> None:
    told = table(repo, "Limits")
    assert set(told) == {
        (name, mode.value)
        for name in EXCHANGES
        for mode, _ in getattr(exchanges, name.capitalize())._supported_trading_mode_margin_pairs
    }
    for (name, mode), cells in told.items():
        config = {"exchange": {"name": name}, "trading_mode": mode, "timeframe": "5m"}
        facts = exchange_facts(config)
        assert facts is not None
        fee = "unknown" if facts.taker_fee is None else f"{facts.taker_fee:.3%}"
        most = f"{facts.most_candles:,}" if facts.has_history else "FreqAI refused"
        assert cells[:3] == [f"{facts.candles_a_call:,}", most, fee], (name, mode)


def test_start_up_lengths_in_the_docs_are_those_of_the_settings(repo: Path) -> None:
    told = table(repo, "Start-up by timeframe")
    assert {timeframe for timeframe, _ in told} == {*TIMEFRAMES}
    for (timeframe, candles), cells in told.items():
        settings = settings_from_config({"timeframe": timeframe, "freqai": {}})
        assert candles == f"{startup_candles(settings):,}"
        assert cells[0] == (", ".join(settings.features.higher_timeframes) or "none")


@pytest.mark.parametrize("config", [{"exchange": {}}, {"exchange": {"name": "nowhere"}}])
def test_an_exchange_that_freqtrade_does_not_know_has_no_facts(config: dict[str, object]) -> None:
    assert exchange_facts(config) is None
