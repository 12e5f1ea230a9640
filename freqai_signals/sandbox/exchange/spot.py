"""Binance's spot REST API over stored candles."""

from fastapi import APIRouter, Request

from freqai_signals.sandbox.exchange.candle_store import CandleStore
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.endpoints import Endpoints, Limits
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.exchange.protocol import Json, decimal

PREFIX = "/api/v3"


def spot_router(store: CandleStore, clock: Clock, faults: Faults | None = None) -> APIRouter:
    """Endpoints below ``/api/v3``.

    Parameters
    ----------
    store
        Spot candles.
    clock
        The exchange's clock.
    faults
        Candles that are missing, late or halted.
    """
    endpoints = Endpoints(store, clock, Limits(default=500, largest=1000), faults)
    router = APIRouter(prefix=PREFIX)
    add_shared_routes(router, endpoints)

    @router.get("/exchangeInfo")
    async def exchange_info() -> Json:
        return {
            "timezone": "UTC",
            **endpoints.time(),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [_symbol(endpoints, symbol) for symbol in endpoints.symbols],
        }

    return router


def add_shared_routes(router: APIRouter, endpoints: Endpoints) -> None:
    """Add the endpoints that spot and futures have in common to a router."""

    @router.get("/ping")
    async def ping() -> Json:
        return {}

    @router.get("/time")
    async def time() -> Json:
        return endpoints.time()

    @router.get("/klines")
    async def klines(request: Request) -> list[list[object]]:
        return endpoints.klines(request.query_params)

    @router.get("/ticker/24hr")
    async def day_ticker(request: Request) -> Json | list[Json]:
        return endpoints.day_ticker(request.query_params)

    @router.get("/ticker/price")
    async def price_ticker(request: Request) -> Json | list[Json]:
        return endpoints.price_ticker(request.query_params)

    @router.get("/ticker/bookTicker")
    async def book_ticker(request: Request) -> Json | list[Json]:
        return endpoints.book_ticker(request.query_params)

    @router.get("/depth")
    async def depth(request: Request) -> Json:
        return endpoints.depth(request.query_params)


def symbol_filters(decimals: int) -> list[Json]:
    """Trading rules: prices on the tick, amounts on 0.00001, orders from 5 of the quote on."""
    tick = decimal(10.0**-decimals)
    lot: Json = {"minQty": "0.00001000", "maxQty": "900000000.00000000", "stepSize": "0.00001000"}
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", **lot},
        # As on Binance, where 0 leaves the step to LOT_SIZE.
        {"filterType": "MARKET_LOT_SIZE", **lot, "stepSize": "0.00000000"},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]


def _symbol(endpoints: Endpoints, symbol: str) -> Json:
    base, _, quote = endpoints.symbols[symbol].partition("/")
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": symbol_filters(endpoints.decimals(symbol)),
        "permissions": ["SPOT"],
    }
