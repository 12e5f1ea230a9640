"""The folder of candles that the sandbox serves, checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path

from freqai_signals.sandbox.exchange.candle_store import FUTURES, SPOT, CandleStore


class DataDirectoryError(ValueError):
    """The named folder cannot be served; the message lists its content."""


def exchange_folder(datadir: Path) -> Path:
    """Folder with candle files: the given one or its ``binance`` folder.

    Raises
    ------
    DataDirectoryError
        If neither holds candles in freqtrade's feather format.
    """
    if not datadir.is_dir():
        raise DataDirectoryError(f"{datadir} is not a folder")
    for folder in (datadir, datadir / "binance"):
        if CandleStore(folder, SPOT).pairs or CandleStore(folder, FUTURES).pairs:
            return folder
    raise DataDirectoryError(
        f"{datadir} holds no candles: expected files such as BTC_USDT-5m.feather (freqtrade's "
        "feather format) in it, in its folder binance, or below futures"
    )


def check_candles(folder: Path, pairs: Sequence[str]) -> None:
    """Refuse pairs that the folder lacks, and damaged files.

    Parameters
    ----------
    folder
        From :func:`exchange_folder`.
    pairs
        Pairs that will be used; empty means all.

    Raises
    ------
    DataDirectoryError
        With every missing pair and those available, or the damaged file.
    """
    stores = (CandleStore(folder, SPOT), CandleStore(folder, FUTURES))
    held = [pair for store in stores for pair in store.pairs]
    missing = [pair for pair in pairs if pair not in held]
    if missing:
        raise DataDirectoryError(
            f"{folder} has no candles of {', '.join(missing)}; it holds {', '.join(held)}"
        )
    try:
        for store in stores:
            store.check(pair for pair in store.pairs if not pairs or pair in pairs)
    except ValueError as error:
        raise DataDirectoryError(str(error)) from error
