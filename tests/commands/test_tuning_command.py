"""The subcommand ``tune``: its output, and its messages for wrong use."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from freqai_signals.commands.cli import main
from tests.training.dask_cluster import need_dask

Tune = Callable[..., int]


def candles(seed: int, hours: int = 24 * 60) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    drift = pd.Series(rng.normal(0, 1, hours)).ewm(span=6).mean().to_numpy()
    close = 100 * np.exp(np.cumsum(0.004 * drift + rng.normal(0, 0.004, hours)))
    opening = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=hours, freq="1h", tz="UTC", unit="ms"),
            "open": opening,
            "high": np.maximum(opening, close) * 1.001,
            "low": np.minimum(opening, close) * 0.999,
            "close": close,
            "volume": rng.lognormal(8, 0.6, hours),
        }
    )


CONFIG = {
    "timeframe": "1h",
    "exchange": {"pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "freqai": {
        "identifier": "test",
        "train_period_days": 40,
        "feature_parameters": {"label_period_candles": 4, "indicator_periods_candles": [6, 12]},
        "model_training_parameters": {"n_estimators": 20, "min_child_samples": 20, "n_jobs": 1},
        "signals": {
            "features": {"groups": ["momentum", "volatility"], "higher_timeframes": []},
            "model": {"row_step": 1, "early_stopping_rounds": 5},
            "validation": {"min_rows": 100},
            "tuning": {"folds": 2, "trials": 3, "parameters": ["booster.num_leaves"]},
        },
    },
}


@pytest.fixture
def tune(tmp_path: Path) -> Tune:
    """``tune(*options)`` runs the command over two pairs of small candles."""
    data = tmp_path / "binance"
    data.mkdir()
    for seed, pair in enumerate(("BTC_USDT", "ETH_USDT")):
        candles(seed).to_feather(data / f"{pair}-1h.feather", compression="lz4")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    usual = ["--datadir", str(data), "--userdir", str(tmp_path), "--config", str(config)]
    return lambda *options: main(["tune", *usual, *options])


def stored(folder: Path) -> list[dict[str, object]]:
    found = sorted((folder / "signals" / "tuning" / "test").glob("*/*.json"))
    return [json.loads(path.read_text()) for path in found]


def test_it_prints_the_result_and_whether_it_beats_the_default(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune() == 0
    output = capsys.readouterr()
    assert "booster.num_leaves" in output.out
    assert "Purged folds: log loss" in output.out
    assert any(words in output.out for words in ("the default is kept", "it is kept", "win"))
    assert "trial 1 of 3" in output.err
    (record,) = stored(tmp_path)
    assert record["pool"] == ["BTC/USDT", "ETH/USDT"]


def test_options_win_over_the_config_and_a_second_run_trains_nothing(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tune("--trials", "2", "--until", "20240220", "--pairs", "BTC/USDT", "--seed", "9") == 0
    assert "trial 2 of 2" in capsys.readouterr().err
    (record,) = stored(tmp_path)
    assert record["pool"] == ["BTC/USDT"]
    assert record["evidence"]["seed"] == 9  # type: ignore[index]
    assert record["known_until"] <= pd.Timestamp("2024-02-20").timestamp()  # type: ignore[operator]
    assert tune("--trials", "2", "--until", "20240220", "--pairs", "BTC/USDT", "--seed", "9") == 0
    assert "trial" not in capsys.readouterr().err


def test_pairs_with_models_of_their_own_are_tuned_one_by_one(tune: Tune, tmp_path: Path) -> None:
    config = json.loads(json.dumps(CONFIG))
    config["freqai"]["signals"]["model"]["pool"] = "pair"
    (tmp_path / "own.json").write_text(json.dumps(config))
    assert tune("--config", str(tmp_path / "own.json"), "--trials", "2") == 0
    assert sorted(record["pool"] for record in stored(tmp_path)) == [["BTC/USDT"], ["ETH/USDT"]]  # type: ignore[type-var]


@pytest.mark.parametrize("selected", [False, True])
def test_a_scheduler_that_cannot_train_is_named_once_for_all_pools(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, selected: bool,
) -> None:  # fmt: skip
    """Features that are selected fold by fold are not even sent."""
    need_dask()
    monkeypatch.setattr("freqai_signals.training.cluster._CONNECT_SECONDS", 1)
    config = json.loads(json.dumps(CONFIG))
    config["freqai"]["signals"]["model"]["pool"] = "pair"
    config["freqai"]["signals"]["selection"] = {"enabled": selected}
    (tmp_path / "own.json").write_text(json.dumps(config))
    options = ("--config", str(tmp_path / "own.json"), "--trials", "2")
    assert tune(*options, "--scheduler", "tcp://127.0.0.1:9") == 0
    assert len(stored(tmp_path)) == 2
    assert caplog.text.count("No Dask scheduler answers at tcp://127.0.0.1:9") == (not selected)
    said = "features are chosen fold by fold, which no cluster can do: this machine trains"
    assert capsys.readouterr().err.count(said) == selected


def test_combinatorial_folds_print_the_losses_over_backtest_paths(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads(json.dumps(CONFIG))
    config["freqai"]["signals"]["tuning"] |= {"scheme": "combinatorial", "folds": 3}
    (tmp_path / "paths.json").write_text(json.dumps(config))
    assert tune("--config", str(tmp_path / "paths.json"), "--trials", "2") == 0
    (record,) = stored(tmp_path)
    evidence = record["evidence"]
    mean, spread = evidence["default_path_mean"], evidence["default_path_spread"]  # type: ignore[index]
    expected = f"over 2 backtest paths: {mean:.5f} ± {spread:.5f} with the default"
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--trials", "0"), "tuning.trials: Input should be greater than or equal to 2, got 0"),
        (("--minutes", "0"), "tuning.minutes: Input should be greater than 0, got 0.0"),
        (("--pairs", "FOO/USDT"), "has no candles of FOO/USDT; it holds BTC/USDT, ETH/USDT"),
        (("--until", "20240112"), "too few for 2 folds"),
        (("--until", "20230105"), "no candle of BTC/USDT, ETH/USDT lies in the 40 days before"),
        (("--until", "20250105"), "lies after the last candle"),
        (("--config", "nowhere.json"), "nowhere.json"),
        (("--storage", "postgresql+psycopg://me:hush@127.0.0.1:9/none"), "cannot be used"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_use_is_named_and_ends_with_status_2(
    options: tuple[str, ...],
    said: str,
    tune: Tune,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "hush" not in error
    assert stored(tmp_path) == []


def test_a_config_without_pairs_is_named(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Laid over the first config, as freqtrade does with several.
    (tmp_path / "none.json").write_text('{"exchange": {"pair_whitelist": []}}')
    assert tune("--config", str(tmp_path / "none.json")) == 2
    assert "none.json: exchange.pair_whitelist names no pair" in capsys.readouterr().err


def test_a_corrupt_study_ends_with_status_2_and_stays_as_it_is(
    tune: Tune, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "signals" / "tuning" / "test" / "studies.sqlite"
    study.parent.mkdir(parents=True)
    study.write_bytes(b"no database" * 1000)
    assert tune() == 2
    assert "studies.sqlite cannot be used: file is not a database" in capsys.readouterr().err
    assert study.read_bytes() == b"no database" * 1000


def test_an_end_that_is_no_day_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tune", "--until", "2024"])
    assert "--until: '2024' is not a date; write it as 20240131" in capsys.readouterr().err
