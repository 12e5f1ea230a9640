"""What freqtrade's classes know of an exchange without asking it."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import FreqtradeException, TemporaryError
from freqtrade.resolvers import ExchangeResolver

from freqai_signals.plugin.quiet import without_log
from freqai_signals.preflight.situation import ExchangeFacts
from freqai_signals.settings import DEFAULT_TIMEFRAME
from freqai_signals.signals.expected_value import UNKNOWN_FEE

logger = logging.getLogger(__name__)


def exchange_facts(config: Mapping[str, Any]) -> ExchangeFacts | None:
    """Limits and usual fee of the config's exchange; None if freqtrade does not know it.

    Parameters
    ----------
    config
        Its ``exchange.name``, ``trading_mode`` and ``timeframe`` are read. No request is made.
    """
    mode = str(getattr(config.get("trading_mode"), "value", config.get("trading_mode") or "spot"))
    margin = config.get("margin_mode") or ("isolated" if mode == "futures" else "")
    timeframe = str(config.get("timeframe") or DEFAULT_TIMEFRAME)
    name = config["exchange"].get("name")
    if not name:
        return None
    kind = CandleType.get_default(mode)
    bare: dict[str, Any] = {
        "dry_run": True, "runmode": RunMode.OTHER,
        "stake_currency": config.get("stake_currency", "USDT"),
        "trading_mode": mode, "margin_mode": margin, "candle_type_def": kind,
        "exchange": {"name": name, "key": "", "secret": "", "pair_whitelist": []},
    }  # fmt: skip
    try:
        # It would announce itself a second time in the log of a start.
        with without_log():
            exchange = ExchangeResolver.load_exchange(
                bare, validate=False, load_leverage_tiers=False
            )
        limit = exchange.ohlcv_candle_limit(timeframe, kind)
        fee = _taker_fee(exchange._api.describe().get("fees", {}), mode)
        has_history = bool(exchange.get_option("ohlcv_has_history"))
        exchange.close()
    except FreqtradeException:
        return None
    return ExchangeFacts(str(name), int(limit), has_history, fee)


def listed_fee(exchange: Any, pair: str, liquidity: str) -> float:
    """An exchange's fee of one side for a pair, a fraction; a high one where it names none.

    Raises
    ------
    KeyError
        If the exchange does not list the pair.
    """
    try:
        fee = exchange.get_fee(pair, taker_or_maker=liquidity)
    except TemporaryError:
        raise
    except (FreqtradeException, TypeError, ValueError) as error:
        logger.warning("No %s fee of %s: %s; %.2f %% is assumed", liquidity, pair, error,
                       100 * UNKNOWN_FEE)  # fmt: skip
        return UNKNOWN_FEE
    if fee is None or not math.isfinite(fee):
        logger.warning("The exchange names no %s fee of %s; %.2f %% is assumed", liquidity, pair,
                       100 * UNKNOWN_FEE)  # fmt: skip
        return UNKNOWN_FEE
    return float(fee)


def _taker_fee(fees: Mapping[str, Any], mode: str) -> float | None:
    """The usual taker fee in ccxt's description of an exchange, a fraction."""
    linear = (fees.get("linear") or {}).get("trading") or fees.get("swap") or {}
    sections = (linear if mode == "futures" else {}, fees.get("trading") or {})
    found = [section["taker"] for section in sections if section.get("taker") is not None]
    return float(found[0]) if found else None
