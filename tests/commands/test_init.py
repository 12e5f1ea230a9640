"""`freqai-signals init`, through freqtrade's own resolvers, in folders as users have them."""

import json
import shlex
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from freqtrade.configuration.directory_operations import create_userdata_dir

from freqai_signals.commands.cli import main
from freqai_signals.config import settings_from_config
from freqai_signals.files import merged_config
from freqai_signals.plugin.installation.adapters import ADAPTERS
from freqai_signals.plugin.installation.resolved import most_startup_candles
from freqai_signals.plugin.installation.setup import base_config, example_strategies

PAIRS = ["BTC/USDT", "ETH/USDT"]


@pytest.fixture
def userdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh user_data, and a current directory without any config."""
    monkeypatch.chdir(tmp_path)
    return create_userdata_dir(str(tmp_path / "user data"), create_dir=True)


@pytest.fixture
def init(userdir: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*options: str) -> tuple[int, str, str]:
        status = main(["init", "--userdir", str(userdir), *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def signals(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "config-signals.json").read_text()))


def own_config(folder: Path, **changes: Any) -> Path:
    """A user's config, with comments and trailing commas as freqtrade accepts them."""
    path = folder / "mine.json"
    config = json.loads(base_config()) | changes
    path.write_text("// mine\n" + json.dumps(config, indent=1).replace("\n}", ",\n}"))
    return path


# The files


def test_adapters_of_the_work_tree_are_those_that_init_writes(repo: Path) -> None:
    folders = {
        "freqaimodels": "freqai_models",
        "strategies": "strategies",
        "hyperopts": "user_data/hyperopts",
    }
    for adapter in ADAPTERS:
        file = repo / folders[adapter.folder] / f"{adapter.name}.py"
        assert file.read_text() == adapter.text
        assert len(adapter.text.splitlines()) <= 10


def test_the_work_trees_config_has_the_settings_that_init_writes_for_5m(
    repo: Path, init: Any, userdir: Path
) -> None:
    init("--timeframe", "5m")
    written = merged_config([userdir / "config.json", userdir / "config-signals.json"])
    assert settings_from_config(written) == settings_from_config(
        json.loads((repo / "config.json").read_text())
    )


def test_an_empty_folder_gets_everything_and_the_second_run_changes_nothing(
    init: Any, userdir: Path
) -> None:
    status, first, _ = init()
    assert status == 0
    names = [*(a.path for a in ADAPTERS), "config.json", "config-signals.json"]
    assert [line.rpartition(": ")[2] for line in first.splitlines()[:6]] == ["new"] * 6
    assert all((userdir / name).is_file() for name in names)
    before = snapshot(userdir)
    status, second, _ = init()
    assert (status, snapshot(userdir)) == (0, before)
    assert second == first.replace(": new\n", ": unchanged\n")
    assert second == init()[1]


def test_a_dry_run_shows_the_plan_and_writes_nothing(init: Any, userdir: Path) -> None:
    before = snapshot(userdir)
    status, said, _ = init("--dry-run")
    assert status == 0
    assert said.count(": new\n") == 6
    assert snapshot(userdir) == before


def test_an_edited_file_stays_and_an_upgrade_keeps_a_copy(init: Any, userdir: Path) -> None:
    init()
    edited, outdated = (userdir / adapter.path for adapter in ADAPTERS[:2])
    edited.write_text(edited.read_text() + "# mine\n")
    mine, ours = edited.read_text(), ADAPTERS[0].text
    # As an earlier version of the package would have left it: our own words, listed as such.
    manifest = userdir / "signals" / "installed.json"
    written = json.loads(manifest.read_text())
    outdated.write_text("class LightGBMSignalStrategy(object): pass\n")
    written[ADAPTERS[1].path] = sha256(outdated.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(written))

    status, said, _ = init("--dry-run")
    assert status == 2
    assert f"{edited}: kept: edited by hand" in said
    assert f"{outdated}: kept: of another version" in said
    assert edited.read_text() == mine

    status, said, _ = init("--upgrade")
    assert status == 0
    assert f"{edited}: replaced; what is there stays as {edited.name}.bak" in said
    assert f"{outdated}: refreshed" in said
    assert (edited.read_text(), outdated.read_text()) == (ours, ADAPTERS[1].text)
    assert edited.with_name(f"{edited.name}.bak").read_text() == mine
    assert not outdated.with_name(f"{outdated.name}.bak").exists()

    edited.write_text("# again mine, class LightGBMSignalClassifier( is not in it\n")
    init("--upgrade")
    assert edited.with_name(f"{edited.name}.bak").read_text() == mine
    assert "again mine" in edited.with_name(f"{edited.name}.bak2").read_text()


def test_a_damaged_manifest_makes_no_file_pass_for_ours(init: Any, userdir: Path) -> None:
    init()
    (userdir / "signals" / "installed.json").write_text("{")
    (userdir / ADAPTERS[0].path).write_text("# mine\n")
    status, said, _ = init("--dry-run")
    assert status == 2
    assert "kept: edited by hand" in said


def test_the_last_timeframe_pairs_and_mode_hold_until_others_are_asked_for(
    init: Any, userdir: Path
) -> None:
    init("--timeframe", "1h", "--futures", "--pairs", *PAIRS)
    before = signals(userdir)
    assert before["exchange"]["pair_whitelist"] == ["BTC/USDT:USDT", "ETH/USDT:USDT"]
    assert (before["trading_mode"], before["margin_mode"]) == ("futures", "isolated")
    assert before["freqai"]["identifier"] == "freqai-signals-futures-1h"
    assert init()[0] == 0
    assert signals(userdir) == before
    status, said, _ = init("--timeframe", "15m")
    assert status == 2
    assert "of another version or other options" in said
    assert init("--timeframe", "15m", "--upgrade")[0] == 0
    assert signals(userdir)["timeframe"] == "15m"


def test_examples_are_written_where_freqtrade_finds_them(init: Any, userdir: Path) -> None:
    assert init("--examples")[0] == 0
    for path, text in example_strategies().items():
        assert (userdir / path).read_text() == text


# The user's own config


def test_a_users_config_is_read_but_never_written(init: Any, userdir: Path) -> None:
    mine = own_config(userdir.parent, stake_amount=55)
    text = mine.read_text()
    status, said, _ = init("--config", str(mine), "--pairs", *PAIRS)
    assert status == 0
    assert mine.read_text() == text
    assert not (userdir / "config.json").exists()
    assert signals(userdir)["exchange"] == {"pair_whitelist": PAIRS}
    assert "stake_amount" not in signals(userdir)
    assert f"--config {shlex.quote(str(mine))} --config" in said


def test_a_config_in_the_folder_is_found_as_freqtrade_finds_it(init: Any, userdir: Path) -> None:
    own = own_config(userdir, trading_mode="futures", margin_mode="isolated").rename(
        userdir / "config.json"
    )
    text = own.read_text().replace('USDT"', 'USDT:USDT"')
    own.write_text(text)
    status, _, _ = init()
    assert (status, own.read_text()) == (0, text)
    assert "trading_mode" not in signals(userdir)
    assert signals(userdir)["freqai"]["identifier"] == "freqai-signals-futures-5m"


def test_of_several_configs_the_later_wins(init: Any, userdir: Path) -> None:
    first = own_config(userdir.parent, timeframe="1h").rename(userdir.parent / "first.json")
    second = userdir.parent / "second.json"
    second.write_text('{"timeframe": "4h", /* later */ }')
    assert init("-c", str(first), "-c", str(second))[0] == 0
    assert signals(userdir)["timeframe"] == "4h"


def test_keys_for_another_freqai_model_are_set_right(init: Any, userdir: Path) -> None:
    """Those of freqtrade's own example of a FreqAI config, and what people add to it."""
    mine = own_config(
        userdir.parent,
        startup_candle_count=40,
        use_exit_signal=False,
        process_only_new_candles=False,
        freqai={
            "identifier": "mine",
            "continual_learning": True,
            "feature_parameters": {
                "include_timeframes": ["3m", "15m", "1h"],
                "include_corr_pairlist": ["BTC/USDT", "ETH/USDT"],
                "include_shifted_candles": 2, "DI_threshold": 0.9, "weight_factor": 0.9,
                "principal_component_analysis": True, "use_SVM_to_remove_outliers": True,
                "noise_standard_deviation": 0.05, "buffer_train_data_candles": 100,
                "plot_feature_importances": 10,
            },
            "data_split_parameters": {"test_size": 0.33, "shuffle": True},
            "model_training_parameters": {
                "n_estimators": 800, "learning_rate": 0.3, "n_jobs": 1, "random_state": 7,
            },
        },
    )  # fmt: skip
    status, _, error = init("--config", str(mine))
    assert status == 0, error
    written = signals(userdir)
    assert written["use_exit_signal"]
    assert written["process_only_new_candles"]
    assert written["startup_candle_count"] == 2017
    assert written["freqai"]["feature_parameters"]["DI_threshold"] == 0
    assert "reverse_train_test_order" not in written["freqai"]["feature_parameters"]
    settings = settings_from_config(merged_config([mine, userdir / "config-signals.json"]))
    assert (settings.booster.rounds, settings.booster.learning_rate) == (600, 0.05)
    assert (settings.booster.threads, settings.booster.seed) == (1, 7)


def test_pairs_that_are_named_are_not_left_to_a_dynamic_pairlist(init: Any, userdir: Path) -> None:
    dynamic = [{"method": "VolumePairList", "number_assets": 5}]
    mine = own_config(userdir.parent, pairlists=dynamic)
    init("--config", str(mine))
    assert "pairlists" not in signals(userdir)
    init("--config", str(mine), "--pairs", *PAIRS, "--upgrade")
    assert signals(userdir)["pairlists"] == [{"method": "StaticPairList"}]


def test_the_documents_limits_are_freqtrades(repo: Path) -> None:
    lines = (repo / "docs" / "install.md").read_text().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| Exchange"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[start + 2 :]]
    table = {row[0]: row[1:] for row in rows[: rows.index([])]}
    assert len(table) == 8
    for name, (spot, futures) in table.items():
        config: dict[str, Any] = {"exchange": {"name": name.lower()}}
        if spot == "FreqAI refused":
            with pytest.raises(ValueError, match="freqtrade refuses FreqAI on"):
                most_startup_candles(config, "5m")
            continue
        assert str(most_startup_candles(config, "5m")) == spot, name
        if futures != "–":
            config |= {"trading_mode": "futures", "margin_mode": "isolated"}
            assert str(most_startup_candles(config, "5m")) == futures, name


# What cannot work


def refusal(init: Any, *options: str) -> str:
    status, said, error = init(*options)
    assert (status, said) == (2, "")
    assert "Traceback" not in error
    return str(error)


def test_a_timeframe_that_the_exchange_has_too_few_candles_for(init: Any, userdir: Path) -> None:
    exchange = json.loads(base_config())["exchange"] | {"name": "kraken"}
    mine = own_config(userdir.parent, exchange=exchange)
    assert "refuses FreqAI on kraken" in refusal(init, "--config", str(mine))
    allowed = {"override_exchange_checks": True}
    mine = own_config(userdir.parent, exchange=exchange, freqai=allowed)
    error = refusal(init, "--config", str(mine), "--timeframe", "1m")
    assert "exchange allows 719" in error
    assert "longer timeframe" in error
    assert snapshot(userdir) == {}
    assert init("--config", str(mine), "--timeframe", "5m")[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--timeframe", "7m"], "there is a rule for 1m"),
        (["--config", "absent.json"], "absent.json: there is no such config file"),
        (["--config", "broken.json"], "broken.json is not JSON"),
        (["--config", "list.json"], "must hold a JSON object"),
        (["--config", "unknown.json"], "freqtrade does not know the exchange"),
        (["--config", "typo.json"], "freqai.signals.lables: unknown key"),
    ],
)
def test_options_and_configs_that_cannot_work(
    init: Any, userdir: Path, options: list[str], words: str
) -> None:
    (userdir.parent / "broken.json").write_text('{"a": ')
    (userdir.parent / "list.json").write_text("[1]")
    (userdir.parent / "unknown.json").write_text('{"exchange": {"name": "nowhere"}}')
    (userdir.parent / "typo.json").write_text('{"freqai": {"signals": {"lables": {}}}}')
    assert words in refusal(init, *options)
    assert snapshot(userdir) == {}


def test_a_folder_that_is_no_user_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, words in (
        ("absent", "no such folder"), ("empty", "no user_data"), ("file", "is no folder"),
    ):  # fmt: skip
        assert main(["init", "--userdir", name]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert f"freqtrade create-userdir --userdir {name}" in error
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_folder_that_cannot_be_written_to(init: Any, userdir: Path) -> None:
    (userdir / "strategies").rmdir()
    (userdir / "strategies").symlink_to("/proc")  # not even root may write there
    status, _, error = init()
    assert status == 2
    assert "/proc" in error


def test_a_class_of_the_same_name_in_another_file_is_told(init: Any, userdir: Path) -> None:
    other = userdir / "strategies" / "AnOldCopy.py"
    other.write_text(ADAPTERS[1].text)
    status, _, error = init()
    assert status == 2
    assert f"freqtrade takes LightGBMSignalStrategy from {other}" in error
