"""As much of Binance's USD-M futures REST API as freqtrade's backtests and downloads ask for."""

from fastapi import APIRouter, Request

from freqai_signals.sandbox.book import CandleBook
from freqai_signals.sandbox.clock import Clock
from freqai_signals.sandbox.faults import Faults
from freqai_signals.sandbox.spot import add_shared_routes, symbol_filters
from freqai_signals.sandbox.venue import Limits, Venue
from freqai_signals.sandbox.wire import Json, decimal

PREFIX = "/fapi/v1"

# ccxt takes this delivery date for "never": a perpetual contract.
_NEVER_MS = 4_133_404_800_000


def futures_router(
    book: CandleBook, marks: CandleBook, clock: Clock, faults: Faults | None = None
) -> APIRouter:
    """Endpoints below ``/fapi/v1``.

    Parameters
    ----------
    book
        Candles of the contracts.
    marks
        Candles of their mark prices.
    clock
        The exchange's clock.
    faults
        Candles that are missing, late or halted.
    """
    limits = Limits(default=500, largest=1500)
    venue = Venue(book, clock, limits, faults)
    mark_venue = Venue(marks, clock, limits, faults)
    router = APIRouter(prefix=PREFIX)
    add_shared_routes(router, venue)

    @router.get("/exchangeInfo")
    async def exchange_info() -> Json:
        symbols = [_contract(venue, symbol) for symbol in venue.symbols]
        return {"timezone": "UTC", **venue.time(), "symbols": symbols}

    @router.get("/markPriceKlines")
    async def mark_klines(request: Request) -> list[list[object]]:
        return mark_venue.klines(request.query_params)

    @router.get("/leverageBracket")
    async def leverage_bracket() -> list[Json]:
        return [{"symbol": symbol, "brackets": [_bracket()]} for symbol in venue.symbols]

    return router


def _bracket() -> Json:
    return {
        "bracket": 1,
        "initialLeverage": 20,
        "notionalCap": 10_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.025,
        "cum": 0.0,
    }


def _contract(venue: Venue, symbol: str) -> Json:
    base, _, rest = venue.symbols[symbol].partition("/")
    quote, _, settle = rest.partition(":")
    decimals = venue.decimals(symbol)
    return {
        "symbol": symbol,
        "pair": symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _NEVER_MS,
        "onboardDate": 0,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": settle,
        "pricePrecision": decimals,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
        "filters": [
            {**item, "stepSize": decimal(0.001), "minQty": decimal(0.001)}
            if "stepSize" in item
            else {**item, "notional": "5"}
            for item in symbol_filters(decimals)
        ],
    }
