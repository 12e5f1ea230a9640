"""Which folder of candles the sandbox serves, checked before anything starts."""

from collections.abc import Sequence
from pathlib import Path

from freqai_signals.sandbox.exchange.candle_store import FUTURES, SPOT, CandleStore


class DataDirectoryError(ValueError):
    """The named folder cannot be served; the message says what is there."""


def exchange_folder(given: Path) -> Path:
    """Folder with candle files: the given one or its ``binance`` folder.

    Raises
    ------
    DataDirectoryError
        If neither holds candles in freqtrade's feather format.
    """
    if not given.is_dir():
        raise DataDirectoryError(f"{given} is not a folder")
    for folder in (given, given / "binance"):
        if CandleStore(folder, SPOT).pairs or CandleStore(folder, FUTURES).pairs:
            return folder
    raise DataDirectoryError(
        f"{given} holds no candles: expected files such as BTC_USDT-5m.feather (freqtrade's "
        "feather format) in it, in its folder binance, or below futures"
    )


def check_candles(folder: Path, pairs: Sequence[str]) -> None:
    """Refuse pairs that the folder lacks, and damaged files.

    Parameters
    ----------
    folder
        From :func:`exchange_folder`.
    pairs
        Pairs that will be used; empty means all that are there.

    Raises
    ------
    DataDirectoryError
        Listing every missing pair and what there is, or naming the damaged file.
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
