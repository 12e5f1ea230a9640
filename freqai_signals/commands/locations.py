"""``--userdir`` and ``--config`` of every subcommand, found as freqtrade finds them."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from freqai_signals.files import merged_config

_CONFIG: Final = Path("config.json")
_USERDIR: Final = Path("user_data")


@dataclass(frozen=True)
class Locations:
    """Where a user's files lie.

    Attributes
    ----------
    userdir
        freqtrade's folder for data, models and results; ours lie below ``signals`` in it.
    configs
        Config files, later ones win; empty where none was named and there is no default one.
    config
        What they say together.
    named
        Whether the command line named the configs.
    """

    userdir: Path
    configs: tuple[Path, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    named: bool = False

    def section(self, name: str) -> dict[str, Any]:
        """Keys of ``freqai.signals.NAME``, none where the configs give none."""
        found: Any = self.config
        for key in ("freqai", "signals", name):
            found = found.get(key) if isinstance(found, Mapping) else None
        return dict(found) if isinstance(found, Mapping) else {}

    @property
    def identifier(self) -> str:
        """FreqAI's, "" where the configs say none."""
        freqai = self.config.get("freqai")
        return str(freqai.get("identifier", "")) if isinstance(freqai, Mapping) else ""


def add_locations(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add ``--userdir`` and ``--config`` to a subcommand.

    Parameters
    ----------
    parser
        Of the subcommand.
    several
        Whether one ``--config`` may take several files; not beside positional arguments, which it
        would take too.
    """
    parser.add_argument(
        "--userdir", "--user-data-dir", type=Path, metavar="DIR",
        help="freqtrade's user_data (default: the config's, else ./user_data)",
    )  # fmt: skip
    parser.add_argument(
        "-c", "--config", type=Path, action="extend", nargs="+" if several else 1, metavar="FILE",
        help="freqtrade's config; may be given again, later ones win (default: config.json in "
        "--userdir, else here)",
    )  # fmt: skip


def locations(arguments: argparse.Namespace) -> Locations:
    """Where the files lie, by command line, config and freqtrade's defaults, in this order.

    Raises
    ------
    ValueError
        If a config is named but missing, or cannot be read.
    """
    given: Path | None = arguments.userdir
    configs = tuple(arguments.config or ()) or _default_configs(given or _USERDIR)
    config = merged_config(configs)
    userdir = given or Path(config.get("user_data_dir") or _USERDIR)
    return Locations(userdir, configs, config, bool(arguments.config))


def _default_configs(userdir: Path) -> tuple[Path, ...]:
    """As freqtrade: the folder's own config before that of the current directory."""
    candidates = (userdir / _CONFIG, _CONFIG)
    return next(((path,) for path in candidates if path.is_file()), ())
