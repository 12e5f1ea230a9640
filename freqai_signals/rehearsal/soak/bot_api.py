"""A running bot's own API, as an operator would use it."""

import base64
import json
import secrets
import socket
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote

_SECONDS: Final = 5.0
_HOST: Final = "127.0.0.1"


class NotNow(Exception):
    """The bot, or what is to be injected, cannot be reached at this moment."""


class Refused(Exception):
    """The bot, or the system, does not do what is to be injected."""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])


@dataclass
class BotApi:
    """Address and password of a bot of this machine alone."""

    port: int = field(default_factory=_free_port)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    def config(self) -> dict[str, Any]:
        """Section ``api_server`` of the bot's config."""
        return {
            "enabled": True,
            "listen_ip_address": _HOST,
            "listen_port": self.port,
            "verbosity": "error",
            "enable_openapi": False,
            "jwt_secret_key": secrets.token_hex(32),
            "CORS_origins": [],
            "username": "soak",
            "password": self.password,
        }

    def reload_config(self) -> str:
        """Have the bot read its config again."""
        return self._ask("POST", "reload_config")

    def block(self, pair: str) -> str:
        """Take a pair out of the whitelist."""
        return self._ask("POST", "blacklist", {"blacklist": [pair]})

    def unblock(self, pair: str) -> str:
        """Let a pair into the whitelist again."""
        return self._ask("DELETE", f"blacklist?pairs_to_delete={quote(pair, safe='')}")

    def force_exit(self) -> str:
        """Close all trades."""
        return self._ask("POST", "forceexit", {"tradeid": "all"})

    def force_entry(self, pair: str) -> str:
        """Open a trade of a pair."""
        return self._ask("POST", "forceenter", {"pair": pair, "side": "long"})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> str:
        """What the bot answers, in short; NotNow if it does not, Refused if it will not."""
        data = json.dumps(body).encode() if body is not None else b""
        request = urllib.request.Request(
            f"http://{_HOST}:{self.port}/api/v1/{path}", data=data, method=method
        )
        login = base64.b64encode(f"soak:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return str(answer.read(200).decode(errors="replace"))
        except HTTPError as error:
            raise Refused(error.read(160).decode(errors="replace")) from error
        except OSError as error:
            raise NotNow(f"the bot's API does not answer ({error})") from error
