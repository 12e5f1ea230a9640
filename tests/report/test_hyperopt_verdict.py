"""Credibility of a finished hyperopt, from freqtrade's own records."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freqai_signals.commands.cli import WRONG_USE, main
from freqai_signals.commands.hyperopt import beside_the_config
from freqai_signals.report.hyperopt_verdict import (
    HyperoptMissing,
    evaluate,
    profit_before,
    read_epochs,
)
from freqai_signals.report.sharpe import Moments, deflated_sharpe
from freqai_signals.settings import SignalSettings

REPO = Path(__file__).resolve().parents[2]


def epoch(paid: "np.ndarray[Any, Any]", loss: float, trades: int = 100) -> dict[str, Any]:
    days = np.datetime64("2024-01-01") + np.arange(len(paid))
    metrics = {
        "total_trades": trades,
        "starting_balance": 1000.0,
        "backtest_start": "2024-01-01 00:00:00",
        "backtest_end": f"{days[-1]} 23:55:00",
        "daily_profit": [[str(day), value] for day, value in zip(days, paid, strict=True) if value],
    }
    return {"loss": loss, "results_metrics": metrics}


def luck(trials: int, days: int = 60, skilled: float = 0.0) -> list[dict[str, Any]]:
    table = np.random.default_rng(3).normal(0, 5, (trials, days))
    table[0] += skilled
    return [epoch(row, -row.mean() / row.std()) for row in table]


def test_trials_without_skill_are_not_credible() -> None:
    verdict = evaluate(luck(40))
    assert (verdict.trials, verdict.days, verdict.trades) == (40, 60, 100)
    assert verdict.sharpe > 2
    assert verdict.deflated < 0.9
    assert verdict.overfitting is not None
    assert verdict.overfitting.splits == 12870
    assert 0.2 < verdict.overfitting.probability < 0.8


def test_skill_is_credible() -> None:
    verdict = evaluate(luck(40, skilled=6.0))
    assert verdict.deflated > 0.99
    assert verdict.overfitting is not None
    assert verdict.overfitting.probability < 0.05


def test_every_trial_counts_also_one_that_did_not_trade() -> None:
    idle = [epoch(np.zeros(60), 100_000.0, trades=0)] * 30
    verdict, alone = evaluate(idle + luck(10)), evaluate(luck(10))
    assert (verdict.trials, verdict.traded) == (40, 10)
    assert verdict.sharpe == alone.sharpe
    assert "40 trials over 60 days, 10 of which traded" in str(verdict)
    # The same best result is less of a surprise among more tries.
    same = deflated_sharpe(Moments(0.2, observations=60), 40, 0.01)
    assert same < deflated_sharpe(Moments(0.2, observations=60), 10, 0.01)
    with pytest.raises(HyperoptMissing, match="none of the 30 trials traded"):
        evaluate(idle)


def test_an_idle_trial_is_never_the_best() -> None:
    idle = epoch(np.zeros(60), -99.0, trades=0)
    assert evaluate([idle, *luck(3)]).trades == 100


def stored(folder: Path, name: str, profit: float, at: float, **facts: str) -> None:
    found = {
        "strategy_name": "S", "backtest_start": "2024-01-01 00:00:00",
        "backtest_end": "2024-02-29 23:55:00", "profit_total": profit, **facts,
    }  # fmt: skip
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}.json", json.dumps({"strategy": {"S": found}}))
    os.utime(folder / f"{name}.zip", (at, at))


def test_the_thresholds_before_stand_beside_the_best(tmp_path: Path) -> None:
    epochs = luck(5)
    for one in epochs:
        one["results_metrics"] |= {"strategy_name": "S", "profit_total": 0.217}
        one["params_dict"] = {"minimum_confidence": 0.95, "cooldown_candles": 7, "other": 1}
    assert profit_before(tmp_path, epochs, 1e9) is None
    stored(tmp_path, "older", 0.1, 1000.0)
    stored(tmp_path, "before", 0.386, 2000.0)
    stored(tmp_path, "span", 0.5, 3000.0, backtest_end="2024-03-31 23:55:00")
    stored(tmp_path, "after", 0.9, 9000.0)
    (tmp_path / "damaged.zip").write_text("x")
    os.utime(tmp_path / "damaged.zip", (2500.0, 2500.0))
    before = profit_before(tmp_path, epochs, 5000.0)
    assert before == 0.386
    lines = beside_the_config(evaluate(epochs), SignalSettings(), before)
    assert lines[0] == {"threshold": "profit", "before": "+38.6%", "best trial": "+21.7%"}
    assert [line["threshold"] for line in lines[1:]] == ["minimum_confidence", "cooldown_candles"]
    assert lines[1]["best trial"] == "0.95"
    unknown = beside_the_config(evaluate(epochs), SignalSettings(), None)
    assert unknown[0]["before"] == "not backtested over this span"


def test_one_trial_or_a_few_days_have_no_probability_of_overfitting() -> None:
    assert evaluate(luck(1)).overfitting is None
    assert evaluate(luck(5, days=10)).overfitting is None
    assert "Too few days" in str(evaluate(luck(1)))


def test_command_reads_the_newest_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "hyperopt_results"
    folder.mkdir()
    assert main(["hyperopt", "--userdir", str(tmp_path)]) == WRONG_USE
    assert "run one first" in capsys.readouterr().err
    file = folder / "strategy.fthypt"
    file.write_text("".join(json.dumps(one) + "\n" for one in luck(5)))
    assert main(["hyperopt", "--userdir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "5 trials over 60 days" in out
    assert "Probability of overfitting" in out
    (tmp_path / "config.json").write_text((REPO / "config.json").read_text())
    assert main(["hyperopt", "--userdir", str(tmp_path)]) == 0
    assert "not backtested over this span" in capsys.readouterr().out


def test_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "damaged.fthypt"
    file.write_text('{"loss": ')
    with pytest.raises(HyperoptMissing, match=r"damaged\.fthypt cannot be read"):
        read_epochs(file)
