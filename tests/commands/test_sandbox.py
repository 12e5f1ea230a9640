import shlex
from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.commands.examples import EXAMPLES
from freqai_signals.sandbox.exchange.request_log import LARGEST_BYTES, RequestLog
from freqai_signals.sandbox.market.market_files import ensure_market
from freqai_signals.sandbox.market.spec import MarketSpec
from freqai_signals.sandbox.posterior.captured_share import open_market
from freqai_signals.sandbox.runner.bot_config import configs_of
from freqai_signals.sandbox.runner.environment import (
    quiet_logging,
    sandbox_config,
    sandbox_variables,
    with_config,
    with_datadir,
    without_exchange,
)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["sandbox"], ["sandbox", "--"]])
def test_wrong_use_has_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: freqai-signals" in captured.err


@pytest.mark.parametrize("arguments", [["--help"], ["sandbox", "--help"], ["market", "--help"]])
def test_help_is_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert "usage: freqai-signals" in capsys.readouterr().out


def test_market_prints_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["market", "--days", "2", "--pairs", "BTC/USDT", "--start", "2024-02-01"]
    assert main(arguments) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert (tmp_path / folder / "BTC_USDT-5m.feather").is_file()


def test_market_with_a_break_has_a_folder_of_its_own_and_no_known_ceiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plain = ["market", "--days", "2", "--pairs", "BTC/USDT"]
    folders = []
    for more in ([], ["--break-day", "1", "--break-edge", "-1", "--break-volatility", "5"]):
        assert main([*plain, *more]) == 0
        folders.append(Path(capsys.readouterr().out.strip()))
    whole, broken = folders
    assert whole != broken
    assert open_market(whole) is not None
    assert open_market(broken) is None


def test_datadir_is_added_where_freqtrade_reads_candles() -> None:
    folder = Path("/candles")
    added = ["--datadir", "/candles"]
    for name in ("backtesting", "hyperopt", "lookahead-analysis", "recursive-analysis"):
        assert with_datadir(["bin/freqtrade", name], folder)[2:] == added
    assert with_datadir(["python", "-m", "freqtrade", "backtesting"], folder)[4:] == added


@pytest.mark.parametrize(
    "command",
    [
        ["freqtrade", "download-data"],
        ["freqtrade", "trade", "--dry-run"],
        ["freqtrade", "backtesting", "--datadir", "elsewhere"],
        ["freqtrade", "backtesting", "--datadir=elsewhere"],
        ["freqtrade", "backtesting", "-d", "elsewhere"],
        ["bash", "-c", "freqtrade backtesting"],
        ["freqtrade"],
    ],
)
def test_other_commands_stay_as_they_are(command: list[str]) -> None:
    assert with_datadir(command, Path("/candles")) == command


def test_no_address_of_ccxt_leaves_the_machine(tmp_path: Path) -> None:
    import ccxt

    variables = sandbox_variables("http://127.0.0.1:1", tmp_path)
    covered = {name.rpartition("__")[2] for name in variables if "__urls__api__" in name}
    wanted = {name for name in ccxt.binance().urls["api"] if not name.startswith(("dapi", "eapi"))}
    assert wanted <= covered | {"papiV2"}


def test_the_config_file_says_what_the_variables_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As freqtrade reads them."""
    from freqtrade.configuration.environment_vars import environment_vars_to_dict

    names = ["BTC/USDT", "ETH/USDT"]
    variables = sandbox_variables("http://127.0.0.1:1", tmp_path, names)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = environment_vars_to_dict()
    config = sandbox_config("http://127.0.0.1:1", names)
    # ccxt reads both forms; only the list can be said by a variable.
    config["exchange"]["ccxt_config"]["options"]["fetchMarkets"] = ["spot", "linear"]
    assert config == said


def test_the_sandboxs_config_comes_last_and_nothing_in_the_environment_wins_over_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ours = tmp_path / "sandbox.json"
    command = ["freqtrade", "trade", "--userdir", "ud"]
    assert configs_of(command) == [Path("config.json")]
    (tmp_path / "ud").mkdir()
    (tmp_path / "ud" / "config.json").write_text("{}")
    assert configs_of(command) == [Path("ud/config.json")]
    done = with_config(command, configs_of(command), ours)
    assert done[4:] == ["--config", "ud/config.json", "--config", str(ours)]
    environment = {
        "FREQTRADE__DRY_RUN": "false", "freqtrade__exchange__name": "kraken", "PATH": "/bin",
        "FREQTRADE__EXCHANGE__CCXT_CONFIG__urls__api__other": "https://elsewhere",
        "FREQTRADE__FREQAI__IDENTIFIER": "mine", "FREQTRADE__EXCHANGE__PAIR_WHITELIST": "[]",
    }  # fmt: skip
    kept = {"PATH", "FREQTRADE__FREQAI__IDENTIFIER", "FREQTRADE__EXCHANGE__PAIR_WHITELIST"}
    assert set(without_exchange(environment)) == kept
    assert "FREQTRADE__EXCHANGE__PAIR_WHITELIST" not in without_exchange(environment, ["A/USDT"])


def test_a_command_that_is_asked_to_be_verbose_is(tmp_path: Path) -> None:
    loggers = quiet_logging(["freqtrade", "backtesting"])["loggers"]
    assert loggers["freqtrade.resolvers"] == {"level": "WARNING"}
    assert "freqtrade.freqai" in loggers
    assert "freqtrade.freqai" not in quiet_logging(["freqtrade", "trade"])["loggers"]
    assert quiet_logging(["freqtrade", "backtesting", "-vv"]) == {}


def test_a_forgotten_separator_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["sandbox", "freqtrade", "trade"])
    assert end.value.code == 2
    assert "with -- before the command" in capsys.readouterr().err


def test_examples_are_wanted_for_known_subcommands_and_fit_their_parsers() -> None:
    """Every example is one that its parser accepts."""
    from freqai_signals.commands.cli import SUBCOMMANDS, _parser, _split

    assert {name.split()[0] for name in EXAMPLES} <= set(SUBCOMMANDS)
    for name, lines in EXAMPLES.items():
        for line in lines:
            words, _ = _split(shlex.split(line)[1:])
            assert " ".join(words).startswith(name)
            _parser(words[:1]).parse_args(words)


def test_a_log_that_has_grown_large_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    for expected in (1, 2):
        log = RequestLog(path)
        log("GET / 200")
        log.close()
        assert len(path.read_text().splitlines()) == expected
    path.write_bytes(b"x" * (LARGEST_BYTES + 1))
    logs = [RequestLog(path) for _ in range(2)]
    for log in logs:
        log("GET / 200")
        log.close()
    assert len(path.read_text().splitlines()) == 2
    assert (tmp_path / "requests.log.old").stat().st_size == LARGEST_BYTES + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--datadir", "nowhere"], "nowhere is not a folder"),
        (["--datadir", "."], "holds no candles"),
        (["--edge", "-1"], "edge must lie between 0 and 20"),
        (["--datadir", ".", "--edge", "1"], "--edge: chooses a simulated market"),
        (["--days", "x"], "invalid int value"),
        (["--port", "70000"], "--port must lie between 0 and 65535"),
    ],
)
def test_what_cannot_be_served_is_named_on_standard_error(
    options: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status: object = main(["sandbox", *options, "--", "true"])
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert captured.out == ""


def test_missing_pairs_are_listed_with_those_available(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market = ensure_market(MarketSpec(pairs=("BTC/USDT", "ETH/USDT"), days=2), tmp_path)
    folder = market.folder
    assert main(["sandbox", "--datadir", str(folder), "--pairs", "XRP/USDT", "--", "true"]) == 2
    errors = capsys.readouterr().err
    assert "no candles of XRP/USDT; it holds BTC/USDT, ETH/USDT" in errors


def test_the_default_market_is_made_on_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for uses in (1, 2):
        assert main(["sandbox", "--days", "2", "--pairs", "DOGE/USDT", "--", "true"]) == 0
        assert ("Simulating 6 pairs" in capsys.readouterr().err) == (uses == 1)
    folders = list((tmp_path / "user_data" / "sandbox").glob("market-*"))
    assert len(folders) == 1
    assert (folders[0] / "DOGE_USDT-5m.feather").is_file()
