"""Judging a finished hyperopt from freqtrade's own records."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freqai_signals.commands.cli import WRONG_USE, main
from freqai_signals.report.hyperopt_verdict import HyperoptMissing, judge, read_epochs


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


def test_luck_is_called_luck() -> None:
    verdict = judge(luck(40))
    assert (verdict.trials, verdict.days, verdict.trades) == (40, 60, 100)
    assert verdict.sharpe > 2
    assert verdict.deflated < 0.9
    assert verdict.overfitting is not None
    assert verdict.overfitting.splits == 12870
    assert 0.2 < verdict.overfitting.probability < 0.8


def test_skill_survives() -> None:
    verdict = judge(luck(40, skilled=6.0))
    assert verdict.deflated > 0.99
    assert verdict.overfitting is not None
    assert verdict.overfitting.probability < 0.05


def test_trials_without_trades_do_not_count() -> None:
    idle = [epoch(np.zeros(60), 100_000.0, trades=0)] * 5
    assert judge(idle + luck(10)).trials == 10
    with pytest.raises(HyperoptMissing, match="none of the 5 trials traded"):
        judge(idle)


def test_one_trial_or_a_few_days_have_no_probability_of_overfitting() -> None:
    assert judge(luck(1)).overfitting is None
    assert judge(luck(5, days=10)).overfitting is None
    assert "Too few days" in str(judge(luck(1)))


def test_command_judges_the_newest_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "damaged.fthypt"
    file.write_text('{"loss": ')
    with pytest.raises(HyperoptMissing, match=r"damaged\.fthypt cannot be read"):
        read_epochs(file)
