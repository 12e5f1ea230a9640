"""The simulated market on disk: created on first use, checked on every use."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from pyarrow import ArrowInvalid, feather

from freqai_signals.sandbox.exchange.timeframes import BASE_TIMEFRAME, resample
from freqai_signals.sandbox.market.generator import simulate
from freqai_signals.sandbox.market.spec import DERIVED_TIMEFRAMES, MarketSpec

DEFAULT_ROOT: Final = Path("user_data/sandbox")
MANIFEST: Final = "manifest.json"
LATENT_FOLDER: Final = "latent"

_LOCK: Final = ".lock"


def candle_file(pair: str, timeframe: str) -> str:
    """Name of a pair's spot candle file, as freqtrade writes it.

    Examples
    --------
    >>> candle_file("BTC/USDT", "5m")
    'BTC_USDT-5m.feather'
    """
    return f"{pair.replace('/', '_')}-{timeframe}.feather"


@dataclass(frozen=True)
class Market:
    """A complete market on disk; the folder is a freqtrade data directory of one exchange."""

    folder: Path
    spec: MarketSpec

    def candles(self, pair: str, timeframe: str = BASE_TIMEFRAME) -> pd.DataFrame:
        """Candle frame of a pair as freqtrade reads it."""
        return pd.read_feather(self.folder / candle_file(pair, timeframe))

    def latent(self, pair: str) -> pd.DataFrame:
        """Latent state per base candle: ``date log_volatility drift sigma``."""
        return pd.read_feather(self.folder / LATENT_FOLDER / candle_file(pair, BASE_TIMEFRAME))


def ensure_market(
    spec: MarketSpec, root: Path = DEFAULT_ROOT, notify: Callable[[str], None] | None = None
) -> Market:
    """Market of a spec, generated if it is not there or not whole.

    Parameters
    ----------
    spec
        Every spec has a folder of its own.
    root
        Where markets live.
    notify
        Called with one line when the market has to be generated.

    Notes
    -----
    The manifest is written last and names every file with its checksum, so a market that was
    interrupted, truncated or edited is generated again. A lock keeps two processes from writing
    the same market.
    """
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"market-{spec.digest()}"
    with _locked(root):
        if not is_whole(folder, spec):
            if notify is not None:
                notify(f"Simulating {len(spec.pairs)} pairs over {spec.days} days in {folder} ...")
            _generate(spec, folder)
    return Market(folder, spec)


def is_whole(folder: Path, spec: MarketSpec) -> bool:
    """Whether the folder holds exactly what the spec asks for, byte by byte."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    described = {key: value for key, value in manifest.items() if key != "files"}
    # Through JSON, which turns tuples into lists as in the manifest.
    expected = json.loads(json.dumps(spec.as_json()))
    return described == expected and all(
        (folder / name).is_file() and _checksum(folder / name) == checksum
        for name, checksum in files.items()
    )


def write_feather(frame: pd.DataFrame, path: Path) -> None:
    """Store a frame as freqtrade's feather data handler does."""
    frame.to_feather(path, compression_level=9, compression="lz4")


def read_candles(path: Path) -> pd.DataFrame:
    """Read a candle file.

    Raises
    ------
    ValueError
        Naming the file when it is damaged or lacks a column.
    """
    try:
        frame: pd.DataFrame = feather.read_feather(path)
    except (ArrowInvalid, OSError) as error:
        raise ValueError(f"candle file {path} is damaged or truncated: {error}") from error
    if "funding_rate" in frame:  # older files of funding rates call the column open
        rate = frame["funding_rate"]
        frame = frame.assign(open=rate, high=rate, low=rate, close=rate)
    missing = [name for name in ("date", "open", "high", "low", "close") if name not in frame]
    if missing:
        raise ValueError(f"candle file {path} lacks the columns {missing}")
    return frame


def _generate(spec: MarketSpec, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / LATENT_FOLDER).mkdir(parents=True)
    for pair in spec.pairs:
        history = simulate(spec, pair)
        write_feather(history.candles, folder / candle_file(pair, BASE_TIMEFRAME))
        for timeframe in DERIVED_TIMEFRAMES:
            longer = resample(history.candles, timeframe)
            write_feather(longer, folder / candle_file(pair, timeframe))
        latent = folder / LATENT_FOLDER / candle_file(pair, BASE_TIMEFRAME)
        write_feather(history.latent_frame(), latent)
    files = sorted(path for path in folder.rglob("*.feather"))
    checksums = {path.relative_to(folder).as_posix(): _checksum(path) for path in files}
    unfinished = folder / f"{MANIFEST}.part"
    unfinished.write_text(json.dumps(spec.as_json() | {"files": checksums}, indent=2) + "\n")
    os.replace(unfinished, folder / MANIFEST)


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / _LOCK).open("w") as handle:
        # The kernel drops it with the process, so a kill leaves no stale lock.
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
