"""The subcommand ``credentials``: secrets of the bot's API, readable by their owner only."""

import argparse
import json
import os
import secrets
import socket
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from freqai_signals.commands.locations import add_locations, locations
from freqai_signals.files import write_atomically
from freqai_signals.terminal import notify

_DEFAULT_PORT: Final = 8080
_OWNER_ONLY: Final = 0o600
_MOST_PORT: Final = 65_535


def add_credentials(commands: "argparse._SubParsersAction[Any]") -> None:
    """Add ``credentials``: create the API's secrets unless they exist."""
    parser = commands.add_parser(
        "credentials",
        help="create user name, password and tokens of the bot's API, once",
        description=(
            "Writes a config file with random secrets that switches freqtrade's API server on, for "
            "`freqtrade trade --config config.json --config user_data/credentials.json`, and one "
            "next to it with which a second bot listens to the first. Existing files are kept."
        ),
    )
    add_locations(parser)
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="default: credentials.json in --userdir"
    )
    parser.add_argument("--port", type=int, help="of the API (default: the config's, else 8080)")
    parser.add_argument(
        "--announce",
        action="store_true",
        help="print address, user name and where the password is; an error if the port is in use",
    )
    parser.add_argument(
        "--port-file",
        type=Path,
        metavar="FILE",
        help="write a config with a port that is free now: the API's own, else another one",
    )
    parser.set_defaults(run=_run)


def ensure_credentials(path: Path, port: int = 8080) -> Path:
    """Create the config files with secrets; existing ones are kept.

    Parameters
    ----------
    path
        Config file of the bot whose API it is.
    port
        Where the API listens, on 127.0.0.1.

    Returns
    -------
    pathlib.Path
        Config file of a bot that listens to it, next to the first one.

    Raises
    ------
    ValueError
        If the file exists but holds no ``api_server`` with a token.
    """
    if not 0 < port <= _MOST_PORT:
        raise ValueError(f"--port must be 1 to {_MOST_PORT}, got {port}")
    consumer = path.with_name(f"{path.stem}.consumer{path.suffix}")
    # Never over existing ones: a running bot and its clients know the old secrets.
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, {"api_server": _secrets(port)})
    try:
        server = json.loads(path.read_text())["api_server"]
        address = {"port": server["listen_port"], "ws_token": server["ws_token"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no api_server with listen_port and ws_token ({error!r}); delete it to "
            "create a new one"
        ) from error
    # freqtrade's data provider asks for the producer "default" where none is named.
    producer = {"name": "default", "host": "127.0.0.1", "secure": False, **address}
    wanted = {"external_message_consumer": {"enabled": True, "producers": [producer]}}
    if not consumer.is_file():
        _write(consumer, wanted)
    for file in (path, consumer):
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            # Secrets that were made by hand or by an older version.
            file.chmod(_OWNER_ONLY)
            sys.stderr.write(f"{file} could be read by others; its mode is now 600\n")
    return consumer


def free_port(wanted: int) -> int:
    """A port of 127.0.0.1 on which nothing listens: this one if it is free.

    Examples
    --------
    >>> with socket.socket() as taken:
    ...     taken.bind(("127.0.0.1", 0))
    ...     free_port(taken.getsockname()[1]) != taken.getsockname()[1]
    True
    """
    for port in (wanted, 0):
        with socket.socket() as tried, suppress(OSError):
            # As a server does: a port that was served a minute ago is free.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(("127.0.0.1", port))
            return int(tried.getsockname()[1])
    raise ValueError("no port of 127.0.0.1 is free")


def announced(path: Path, port_file: Path | None) -> str:
    """Where the API of a credentials file will be, and how to log in.

    Parameters
    ----------
    path
        With the secrets.
    port_file
        Where to write a config with a free port; None if the API's own must be free.

    Raises
    ------
    ValueError
        If that is in use.
    """
    server = json.loads(path.read_text())["api_server"]
    port = free_port(server["listen_port"])
    taken = port != server["listen_port"]
    note = f" (port {server['listen_port']} is in use)" if taken else ""
    if port_file is not None:
        content = json.dumps({"api_server": {"listen_port": port}})
        write_atomically(port_file, content.encode())
    elif taken:
        raise ValueError(
            f"port {server['listen_port']} is in use, perhaps by another bot: stop that, or set "
            f"another listen_port in {path} and in its .consumer.json"
        )
    return (
        f"FreqUI and API: http://127.0.0.1:{port}{note}, user {server['username']}, "
        f"password in {path}"
    )


def _secrets(port: int) -> dict[str, object]:
    return {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": port,
        "verbosity": "error",
        "enable_openapi": False,
        "jwt_secret_key": secrets.token_hex(32),
        "ws_token": secrets.token_urlsafe(32),
        "CORS_origins": [],
        "username": "freqai",
        "password": secrets.token_urlsafe(18),
    }


def _write(path: Path, content: Mapping[str, object]) -> None:
    """Store JSON in a new file that nobody else can read, not even while it is written."""
    # O_EXCL also refuses a link that somebody has put in its place.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=4)


def _run(arguments: argparse.Namespace) -> int:
    where = locations(arguments)
    file = arguments.file or where.userdir / "credentials.json"
    server = where.config.get("api_server")
    given = server.get("listen_port") if isinstance(server, Mapping) else None
    port = arguments.port if arguments.port is not None else given or _DEFAULT_PORT
    consumer = ensure_credentials(file, port)
    sys.stdout.write(f"{file}\n{consumer}\n")
    if arguments.announce:
        notify(announced(file, arguments.port_file))
    return 0
