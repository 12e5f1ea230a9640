"""Checks of what surrounds a running bot: pairlists, API, channels, ledger, other bots."""

import os
import shlex
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from freqai_signals.files import merged_config
from freqai_signals.preflight.findings import Finding, error, ok, warning
from freqai_signals.preflight.situation import Situation, mapping

_SECRETS: Final = ("credentials.json", "credentials.consumer.json")


def pairlists_can_be_served(situation: Situation) -> Iterator[Finding]:
    """What pairlists resolve can be trained on and served."""
    if situation.named_pool:
        yield ok(f"pool: {len(situation.named_pool)} pairs, named in the config")
        return
    if situation.settings.model.pool == "pair":
        if situation.purpose == "trade":
            yield error(
                "freqai.signals.model.pool: 'pair' with pairs that pairlists find",
                "FreqAI loads the candles to train from at start only, so a pair that comes later "
                "could never have a model of its own",
                "use 'whitelist', or name the pairs in exchange.pair_whitelist",
            )
        return
    yield ok("pool: what the pairlists resolve at start; pairs that join are served by its model")


def names_fit_ledger(situation: Situation) -> Iterator[Finding]:
    """PostgreSQL takes the names of bot and pairs; it would refuse longer ones row by row."""
    from freqai_signals.ledger.sql_tables import LONGEST_NAME

    ledger = situation.settings.ledger
    if not ledger.enabled or not ledger.url.startswith("postgresql"):
        return
    named = [("freqai.identifier", str(situation.freqai.get("identifier", "")))]
    named += [("exchange.pair_whitelist", pair) for pair in situation.pairs]
    for where, name in named:
        if len(name) > LONGEST_NAME:
            yield error(
                f"{where}: {name!r} has {len(name)} characters",
                f"the ledger in PostgreSQL keeps {LONGEST_NAME}",
                "shorten it, or keep the ledger in SQLite",
            )


def ledger_is_reachable(situation: Situation) -> Iterator[Finding]:
    """The ledger can be opened now; while it cannot, rows wait in memory."""
    from sqlalchemy.exc import SQLAlchemyError

    from freqai_signals.ledger.database import open_engine

    settings, folder = situation.settings.ledger, situation.user_data
    if not settings.enabled:
        yield warning("ledger: switched off", "nothing of what the bot says is kept or scored")
        if situation.settings.alerts.daily_summary:
            yield warning("freqai.signals.alerts.daily_summary: no summary without a ledger",
                          "it is made from the ledger's rows",
                          "set freqai.signals.ledger.enabled to true")  # fmt: skip
        return
    if not settings.url or settings.url.startswith("sqlite"):
        file = None if folder is None else folder / "signals"
        if file is not None and file.exists() and not os.access(file, os.W_OK):
            yield warning(f"ledger: {file} cannot be written", "no prediction would be kept",
                          f"chmod u+w {file}")  # fmt: skip
        else:
            yield ok("ledger: a file in the user's data")
        return
    try:
        engine = open_engine(settings.url)
        with engine.connect():
            yield ok("ledger: reachable")
        engine.dispose()
    except (SQLAlchemyError, ValueError) as problem:
        yield warning(
            f"ledger: cannot be reached ({str(problem).splitlines()[0]})",
            f"up to {settings.queue_rows:,} rows would wait in memory",
            "start the database, or correct freqai.signals.ledger.url",
        )


def api_is_usable(situation: Situation) -> Iterator[Finding]:
    """The API is on, its port is free, and its secrets are the owner's only."""
    api, folder = (
        mapping(situation.config.get("api_server")),
        str(situation.user_data or "user_data"),
    )
    if not api.get("enabled"):
        yield warning(
            "api_server: off", "FreqUI and consumer bots have nothing to connect to",
            f"freqai-signals credentials --userdir {shlex.quote(folder)}, and --config "
            f"{shlex.quote(f'{folder}/credentials.json')}",
        )  # fmt: skip
    else:
        host, port = str(api.get("listen_ip_address", "127.0.0.1")), api.get("listen_port", 8080)
        if not isinstance(port, int) or not 0 < port < 65536:
            yield warning(f"api_server.listen_port: {port!r} is no port", "", "use 8080")
        elif _is_taken(host, port):
            yield warning(
                f"api_server.listen_port: {port} on {host} is taken",
                "a second bot's API would not come up",
                "stop the other program or choose another port",
            )
        else:
            yield ok(f"api_server: port {port} on {host} is free")
    for name in _SECRETS if situation.user_data is not None else ():
        yield from _mode(Path(str(situation.user_data)) / name)


def _is_taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        # 0.0.0.0 can be listened on, not connected to.
        return probe.connect_ex(("127.0.0.1" if host == "0.0.0.0" else host, port)) == 0


def _mode(file: Path) -> Iterator[Finding]:
    # Any right of the group or of others.
    if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield warning(f"{file}: others may read it", "it holds the bot's password and tokens",
                      f"chmod 600 {file}")  # fmt: skip


def messages_arrive(situation: Situation) -> Iterator[Finding]:
    """Some channel shows the operator what the bot has to say."""
    on = [
        name
        for name in ("telegram", "webhook", "discord")
        if mapping(situation.config.get(name)).get("enabled")
    ]
    for name in on:
        section = mapping(situation.config.get(name))
        # freqtrade passes a strategy's messages on to webhook and Discord only on request.
        if name != "telegram" and not section.get("allow_custom_messages"):
            yield warning(f"{name}: allow_custom_messages is off", "alerts would not be sent",
                          f"set {name}.allow_custom_messages to true")  # fmt: skip
        # A webhook sends only the types that its section has a template for.
        elif name == "webhook" and "strategy_msg" not in section:
            yield warning("webhook: no strategy_msg", "alerts would not be sent",
                          'add "strategy_msg": {"text": "{msg}"}')  # fmt: skip
        else:
            yield ok(f"messages: {name}")
    if not on and situation.settings.alerts.enabled:
        yield warning("messages: no channel is on", "alerts stand in the log only",
                      "switch telegram, webhook or discord on")  # fmt: skip


def identifier_is_free(situation: Situation) -> Iterator[Finding]:
    """No other bot works in this identifier's folder now."""
    folder, identifier = situation.user_data, situation.freqai.get("identifier")
    if folder is None or not isinstance(identifier, str):
        return
    # Of FreqAI's file and our journal, which of the two is written depends on the candle.
    files = (folder / "models" / identifier).glob("historic_predictions.*")
    written = max((file.stat().st_mtime for file in files), default=0.0)
    # Written after every candle; a late one may come with the next.
    if time.time() - written > 2 * situation.settings.candle_seconds:
        return
    other = _trader_in(folder.absolute(), identifier)
    if other is not None:
        yield warning(
            f"freqai.identifier: process {other} trades with {identifier!r} now",
            "two bots on one identifier overwrite each other's models and predictions",
            "give each bot its own freqai.identifier",
        )


def _trader_in(user_data: Path, identifier: str) -> int | None:
    """Another process of ``freqtrade trade`` that has files of a user's data open.

    One whose configs can be read and name another identifier is no other bot of this one.
    """
    import psutil

    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        trades = "trade" in command and any("freqtrade" in part for part in command)
        if not trades or process.info["pid"] == os.getpid():
            continue
        try:
            if not any(Path(file.path).is_relative_to(user_data) for file in process.open_files()):
                continue
        except (psutil.Error, OSError):
            continue
        if _identifier_of(command, Path(process.info.get("cwd") or ".")) in (identifier, None):
            return int(process.info["pid"])
    return None


def _identifier_of(command: Sequence[str], folder: Path) -> str | None:
    """FreqAI's identifier in the configs of a command line; None where it cannot be read."""
    files = []
    for option, value in pairwise(command):
        if option in ("--config", "-c"):
            files.append(folder / value)
        elif option.startswith("--config="):
            files.append(folder / option.removeprefix("--config="))
    try:
        found = mapping(merged_config(files).get("freqai")).get("identifier")
    except (ValueError, OSError):
        return None
    return None if found is None else str(found)
