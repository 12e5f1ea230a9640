"""``--userdir`` and ``--config`` of every subcommand, found as freqtrade finds them; addresses."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from freqai_signals.files import merged_config

_CONFIGS: Final = ("config.json", "config-signals.json")
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
        # extend, so that the option may be given again as with freqtrade.
        "-c", "--config", type=Path, action="extend", nargs="+" if several else 1, metavar="FILE",
        help="freqtrade's config; may be given again, later ones win (default: config.json "
        "and config-signals.json in --userdir, else here)",
    )  # fmt: skip


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Add ``--scheduler``."""
    parser.add_argument(
        "--scheduler", default="", metavar="ADDRESS",
        help="of Dask, such as tcp://10.0.0.5:8786; where it fails, this machine trains. Dask runs "
        "code of whoever reaches it: let only your own machines do so, or use tls:// addresses",
    )  # fmt: skip


def locations(arguments: argparse.Namespace) -> Locations:
    """Where the files lie, by command line, config and freqtrade's defaults, in this order.

    Raises
    ------
    ValueError
        If a config is named but missing, or cannot be read.
    """
    given: Path | None = arguments.userdir
    configs = config_paths(arguments)
    config = merged_config(configs)
    userdir = given or Path(config.get("user_data_dir") or _USERDIR)
    return Locations(userdir, configs, config, bool(arguments.config))


def config_paths(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The configs that were named, else those that freqtrade and ``init`` put into their places.

    As freqtrade: the folder's own file before that of the current directory.
    """
    if arguments.config:
        return tuple(arguments.config)
    folders = (arguments.userdir or _USERDIR, Path())
    found = [[folder / name for folder in folders] for name in _CONFIGS]
    return tuple(
        next(file for file in files if file.is_file())
        for files in found
        if any(file.is_file() for file in files)
    )


def ledger_location(where: Locations, given: str | None) -> str:
    """URL of the ledger that was named, else of the config's, else of the one in the user's data.

    Raises
    ------
    ValueError
        If it is a file that is not there.
    """
    from freqai_signals.ledger.database import ledger_address, ledger_url
    from freqai_signals.settings import LedgerSettings

    settings = LedgerSettings.model_validate(where.section("ledger"))
    return ledger_address(str(given or ledger_url(settings, where.userdir)))


def registry_location(where: Locations, given: Path | None) -> Path:
    """Folder of the registry that was named, else of the config's, else in the user's data."""
    from freqai_signals.registry.registry import registry_folder
    from freqai_signals.settings import RegistrySettings

    settings = RegistrySettings.model_validate(where.section("registry"))
    return given or registry_folder(settings, where.userdir)
