"""``freqai-signals train``: what it leaves behind is all that a backtest needs."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from freqtrade.enums import RunMode

from freqai_signals.commands.cli import main
from freqai_signals.sandbox.runner.environment import sandbox_variables
from freqai_signals.training import boosting, worker_processes
from tests.plugin.conftest import BACKTEST, REPO, Bench, Run, small_config
from tests.plugin.test_backtest import assert_same_predictions
from tests.training.dask_cluster import dask_cluster, need_dask

Train = Callable[..., int]


@pytest.fixture
def train(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """``train(*options)`` runs the command against the loopback exchange."""
    for name, value in sandbox_variables(bench.url, bench.folder).items():
        monkeypatch.setitem(os.environ, name, value)
    user_data = tmp_path / "user"
    user_data.mkdir()
    config = user_data / "config.json"
    config.write_text(json.dumps(small_config()))
    usual = ["--config", str(config), "--userdir", str(user_data), "--timerange", BACKTEST]
    usual += ["--datadir", str(bench.folder), "--strategy-path", str(REPO / "strategies")]
    usual += ["--freqaimodel-path", str(REPO / "freqai_models")]
    return lambda *options: main(["train", *usual, *options])


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After a call, training a booster in this process is an error."""

    def refused(*arguments: object) -> None:
        raise AssertionError("a booster was trained in this process")

    def forbid() -> None:
        monkeypatch.setattr(boosting.booster, "fit_rounds", refused)
        monkeypatch.setattr(boosting.booster, "fit_early_stopping", refused)

    return forbid


def assert_backtest_trains_nothing(bench: Bench, first_run: Run, tmp_path: Path) -> None:
    run = bench.backtest(tmp_path / "user")
    assert len(run.said("Reusing cached predictions")) == 4
    assert not run.said("not reused")
    assert_same_predictions(run, first_run)
    # Nor where the predictions have to be made again, or the models as well.
    for patterns in (["*_prediction.feather"], ["*_prediction.feather", "*.model"]):
        for path in [path for pattern in patterns for path in run.user_data.rglob(pattern)]:
            path.unlink()
        again = bench.backtest(tmp_path / "user")
        assert not again.said("Reusing cached predictions")
        assert_same_predictions(again, first_run)


def test_a_backtest_after_it_trains_nothing(
    bench: Bench, first_run: Run, train: Train, tmp_path: Path,
    nothing_trains: Callable[[], None], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert train() == 0
    assert "everything is trained" in capsys.readouterr().err
    nothing_trains()
    assert_backtest_trains_nothing(bench, first_run, tmp_path)


@pytest.mark.slow
def test_a_backtest_after_it_trains_nothing_the_cluster_did(
    bench: Bench, first_run: Run, train: Train, tmp_path: Path,
    nothing_trains: Callable[[], None],
) -> None:  # fmt: skip
    need_dask()
    nothing_trains()
    with dask_cluster(tmp_path, "one") as cluster:
        assert train("--scheduler", cluster.address) == 0
    assert_backtest_trains_nothing(bench, first_run, tmp_path)


@pytest.mark.slow
def test_the_report_is_the_same_figure_for_figure(
    bench: Bench, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """By one worker, by two, and by two of a cluster that trained before."""
    need_dask()
    for limit in ("_WORTH_CELLS", "_WORTH_PROCESSES"):
        monkeypatch.setattr(worker_processes, limit, 0)
    user_data = tmp_path / "user"
    side_by_side = []

    def report(cores: int) -> dict[str, Any]:
        monkeypatch.setattr(worker_processes.joblib, "cpu_count", lambda: cores)
        run = bench.backtest(user_data, whole=True)
        side_by_side.append(bool(run.said("boosters of 2 windows, 2 at a time")))
        capsys.readouterr()
        assert main(["report", "--userdir", str(user_data), "--json"]) == 0
        shown: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert shown["facts"].pop("at")
        shutil.rmtree(user_data)
        return shown

    by_one = report(1)
    assert by_one["page"]["sections"]
    assert report(2) == by_one
    bench.config(user_data, RunMode.BACKTEST, small_config())
    with dask_cluster(tmp_path, "a", "b") as cluster:
        assert train("--scheduler", cluster.address) == 0
    assert report(2) == by_one
    assert side_by_side == [False, True, False]


def test_what_freqtrade_refuses_is_said(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--strategy", "NoSuchStrategy") == 2
    assert "Impossible to load Strategy 'NoSuchStrategy'" in capsys.readouterr().err
