import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyarrow import feather

from freqai_signals.sandbox.exchange.timeframes import resample
from freqai_signals.sandbox.market.generator import simulate
from freqai_signals.sandbox.market.market_files import (
    MANIFEST,
    Market,
    candle_file,
    ensure_market,
    is_whole,
)
from freqai_signals.sandbox.market.spec import MarketSpec

ROOT = Path(__file__).parents[2]
SMALL = MarketSpec(pairs=("BTC/USDT",), days=3)


def returns(market: Market, pair: str = "BTC/USDT") -> pd.Series:
    return np.log(market.candles(pair)["close"]).diff().dropna()


def test_files_have_freqtrades_format(folder: Path) -> None:
    table = feather.read_table(folder / "BTC_USDT-5m.feather")
    names = ["date", "open", "high", "low", "close", "volume"]
    assert table.column_names == names
    assert [str(kind) for kind in table.schema.types] == ["timestamp[ms, tz=UTC]"] + 5 * ["double"]


def test_candles_are_consistent_and_complete(market: Market) -> None:
    for pair in market.spec.pairs:
        candles = market.candles(pair)
        body = candles[["open", "close"]]
        assert (candles["high"] >= body.max(axis=1)).all()
        assert (candles["low"] <= body.min(axis=1)).all()
        assert (candles["low"] > 0).all()
        assert (candles["volume"] > 0).all()
        assert (candles["date"].diff().dropna() == pd.Timedelta("5min")).all()
        assert (candles["open"].iloc[1:].to_numpy() == candles["close"].iloc[:-1]).all()
        assert len(candles) == market.spec.days * 288


def test_prices_lie_on_the_tick(market: Market) -> None:
    close = market.candles("BTC/USDT")["close"]
    assert np.array_equal(close.round(2), close)


def test_returns_are_fat_tailed_even_given_the_slow_volatility(market: Market) -> None:
    latent = market.latent("BTC/USDT")
    moves = returns(market)
    assert moves.kurt() > 3.0
    scaled = moves / np.exp(latent["log_volatility"].iloc[1:])
    assert scaled.kurt() > 0.7


def test_volume_follows_volatility(market: Market) -> None:
    volume = np.log(market.candles("BTC/USDT")["volume"])
    assert volume.corr(np.log(market.latent("BTC/USDT")["sigma"])) > 0.5


def test_volatility_has_a_season(market: Market) -> None:
    moves = returns(market).abs()
    by_hour = moves.groupby((moves.index * 5 // 60) % 24).mean()
    assert by_hour.max() > 1.4 * by_hour.min()


def test_pairs_move_together(market: Market) -> None:
    assert 0.4 < returns(market, "BTC/USDT").corr(returns(market, "ETH/USDT")) < 0.8


def test_returns_can_be_predicted_only_with_an_edge(market: Market, edgeless: Market) -> None:
    for tested, least, most in ((market, 0.3, 0.5), (edgeless, -0.03, 0.03)):
        close = np.log(tested.candles("BTC/USDT")["close"])
        ahead = close.shift(-12) - close
        assert least < ahead.corr(tested.latent("BTC/USDT")["drift"]) < most


def test_wicks_show_the_shock_and_future_wicks_are_unpredictable(edgeless: Market) -> None:
    candles = edgeless.candles("BTC/USDT")
    upper = candles["high"] - candles[["open", "close"]].max(axis=1)
    lower = candles[["open", "close"]].min(axis=1) - candles["low"]
    tilt = (lower - upper) / (candles["high"] - candles["low"])
    drift = edgeless.latent("BTC/USDT")["drift"]
    assert tilt.corr(drift) > 0.2
    assert abs(tilt.shift(-1).corr(drift)) < 0.03


def test_a_pair_does_not_depend_on_the_others() -> None:
    alone = simulate(MarketSpec(pairs=("ETH/USDT",), days=2), "ETH/USDT").candles
    pd.testing.assert_frame_equal(alone, simulate(MarketSpec(days=2), "ETH/USDT").candles)


def test_equal_specs_give_equal_bytes_in_another_process(tmp_path: Path) -> None:
    here = ensure_market(SMALL, tmp_path / "here").folder
    code = (
        "from pathlib import Path;"
        "from freqai_signals.sandbox.market.market_files import ensure_market;"
        "from freqai_signals.sandbox.market.spec import MarketSpec;"
        "print(ensure_market(MarketSpec(pairs=('BTC/USDT',), days=3), Path('there')).folder)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    there = tmp_path / finished.stdout.strip()
    names = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert len(names) == 7
    assert all((here / name).read_bytes() == (there / name).read_bytes() for name in names)


def test_other_specs_live_in_other_folders(tmp_path: Path) -> None:
    first = ensure_market(SMALL, tmp_path)
    second = ensure_market(MarketSpec(pairs=("BTC/USDT",), days=3, seed=7), tmp_path)
    assert first.folder != second.folder
    assert (
        first.candles("BTC/USDT")["close"].iloc[-1] != second.candles("BTC/USDT")["close"].iloc[-1]
    )


def damage_candles(folder: Path) -> None:
    path = folder / candle_file("BTC/USDT", "5m")
    path.write_bytes(path.read_bytes()[:1000])


def lose_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def damage_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{")


def change_spec(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["format"] = 0
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("damage", [damage_candles, lose_manifest, damage_manifest, change_spec])
def test_a_market_that_is_not_whole_is_made_again(tmp_path: Path, damage: object) -> None:
    notices: list[str] = []
    folder = ensure_market(SMALL, tmp_path, notices.append).folder
    before = (folder / "BTC_USDT-5m.feather").read_bytes()
    damage(folder)  # type: ignore[operator]
    assert not is_whole(folder, SMALL)
    ensure_market(SMALL, tmp_path, notices.append)
    assert (folder / "BTC_USDT-5m.feather").read_bytes() == before
    assert len(notices) == 2
    ensure_market(SMALL, tmp_path, notices.append)
    assert len(notices) == 2


def test_longer_timeframes_are_made_of_base_candles(market: Market) -> None:
    base, hourly = market.candles("BTC/USDT").iloc[:12], market.candles("BTC/USDT", "1h").iloc[0]
    assert hourly["date"] == base["date"].iloc[0]
    assert hourly["open"] == base["open"].iloc[0]
    assert hourly["high"] == base["high"].max()
    assert hourly["low"] == base["low"].min()
    assert hourly["close"] == base["close"].iloc[-1]
    assert hourly["volume"] == pytest.approx(base["volume"].sum())


def test_resampling_leaves_out_hours_without_candles(market: Market) -> None:
    candles = market.candles("BTC/USDT").iloc[:36].drop(range(12, 24))
    assert resample(candles, "1h")["date"].dt.hour.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": ("btc-usdt",)}, "BTC/USDT"),
        ({"pairs": ()}, "none"),
        ({"pairs": ("A/B", "A/B")}, "once"),
        ({"days": 0}, "days"),
        ({"seed": -1}, "seed"),
        ({"edge": -1.0}, "edge"),
        ({"edge": float("nan")}, "edge"),
        ({"days": 10, "break_day": 10}, "last day 9"),
        ({"break_day": 5, "break_edge": 11.0}, "break_edge"),
        ({"break_day": 5, "break_volatility": 0.0}, "break_volatility"),
    ],
)
def test_impossible_specs_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MarketSpec(**change)  # type: ignore[arg-type]


def test_a_break_changes_the_law_from_its_day_on_and_nothing_before() -> None:
    calm = simulate(MarketSpec(days=8), "BTC/USDT")
    spec = MarketSpec(days=8, break_day=4, break_edge=-1.0, break_volatility=3.0)
    broken = simulate(spec, "BTC/USDT")
    day = 4 * 288
    pd.testing.assert_frame_equal(calm.candles.iloc[:day], broken.candles.iloc[:day])
    ratio = broken.latent.sigma / calm.latent.sigma
    assert (ratio[:day] == 1).all()
    np.testing.assert_allclose(ratio[day:], 3.0)
    turned = simulate(replace(spec, break_volatility=1.0), "BTC/USDT")
    moves = [np.diff(np.log(h.candles["close"])) for h in (calm, turned)]
    drift = calm.latent.drift[1:]
    planted = 2 * spec.edge * 1.2e-4 * drift[day:]
    np.testing.assert_allclose((moves[0] - moves[1])[day:], planted, atol=2e-6)


def test_a_market_without_a_break_keeps_its_name() -> None:
    assert MarketSpec().digest() == MarketSpec(break_edge=-1.0).digest() == "f1fc379af097"
    assert MarketSpec(break_day=9, break_edge=-1.0).digest() != MarketSpec(break_day=9).digest()
