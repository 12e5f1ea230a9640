"""As much of Binance's USD-M futures REST API as freqtrade's backtests and downloads ask for."""

from dataclasses import dataclass

from fastapi import APIRouter, Request

from freqai_signals.sandbox.exchange.candle_store import CandleStore
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.endpoints import Endpoints, Limits
from freqai_signals.sandbox.exchange.faults import Faults
from freqai_signals.sandbox.exchange.protocol import Json, decimal, required, whole_number
from freqai_signals.sandbox.exchange.spot import add_shared_routes, symbol_filters

PREFIX = "/fapi/v1"

FUNDING_MS = 8 * 3_600_000
"""Time between two payments of funding."""

# Binance's interest for eight hours, the rate where contract and index cost the same.
_USUAL_RATE = 0.0001

# ccxt takes this delivery date for "never": a perpetual contract.
_NEVER_MS = 4_133_404_800_000


@dataclass(frozen=True)
class Contracts:
    """Candles of the contracts and of their mark prices, and their funding rates, if known."""

    candles: CandleStore
    marks: CandleStore
    funding: CandleStore


def futures_router(contracts: Contracts, clock: Clock, faults: Faults | None = None) -> APIRouter:
    """Endpoints below ``/fapi/v1``.

    Parameters
    ----------
    contracts
        What is traded.
    clock
        The exchange's clock.
    faults
        Candles that are missing, late or halted.
    """
    limits = Limits(default=500, largest=1500)
    endpoints = Endpoints(contracts.candles, clock, limits, faults)
    mark_venue = Endpoints(contracts.marks, clock, limits, faults)
    router = APIRouter(prefix=PREFIX)
    add_shared_routes(router, endpoints)

    @router.get("/exchangeInfo")
    async def exchange_info() -> Json:
        symbols = [_contract(endpoints, symbol) for symbol in endpoints.symbols]
        return {"timezone": "UTC", **endpoints.time(), "symbols": symbols}

    @router.get("/markPriceKlines")
    async def mark_klines(request: Request) -> list[list[object]]:
        return mark_venue.klines(request.query_params)

    @router.get("/leverageBracket")
    async def leverage_bracket() -> list[Json]:
        return [{"symbol": symbol, "brackets": [_bracket()]} for symbol in endpoints.symbols]

    @router.get("/fundingRate")
    async def funding_rate(request: Request) -> list[Json]:
        query = request.query_params
        pair = endpoints.pair(required(query, "symbol"))
        now = clock.now_ms()
        end = min(whole_number(query, "endTime") or now, now)
        limit = min(whole_number(query, "limit") or 100, 1000)
        start = whole_number(query, "startTime")
        first = end - limit * FUNDING_MS if start is None else start
        # Ceiling division: the first payment at or after the start.
        times = range(-(-first // FUNDING_MS) * FUNDING_MS, end + 1, FUNDING_MS)[:limit]
        return [
            {
                "symbol": query["symbol"],
                "fundingTime": time,
                "fundingRate": decimal(_rate(contracts.funding, pair, clock.to_stored(time))),
                "markPrice": "",
            }
            for time in times
        ]

    @router.get("/premiumIndex")
    async def premium_index(request: Request) -> Json | list[Json]:
        query = request.query_params
        asked = [query["symbol"]] if "symbol" in query else list(endpoints.symbols)
        answers = [_premium(endpoints, mark_venue, contracts.funding, symbol) for symbol in asked]
        return answers[0] if "symbol" in query else answers

    @router.get("/fundingInfo")
    async def funding_info() -> list[Json]:
        # Binance lists only contracts here whose interval or limits differ from the usual ones.
        return []

    return router


def _premium(endpoints: Endpoints, marks: Endpoints, funding: CandleStore, symbol: str) -> Json:
    pair, now = endpoints.pair(symbol), endpoints.clock.now_ms()
    mark = decimal(marks.price(symbol) if symbol in marks.symbols else endpoints.price(symbol))
    return {
        "symbol": symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": decimal(_rate(funding, pair, endpoints.clock.to_stored(now))),
        "interestRate": decimal(_USUAL_RATE),
        "nextFundingTime": (now // FUNDING_MS + 1) * FUNDING_MS,
        "time": now,
    }


def _rate(funding: CandleStore, pair: str, time_ms: int) -> float:
    """Funding rate in force at a stored time, a fraction for eight hours."""
    if pair not in funding.pairs:
        return _USUAL_RATE
    series = funding.series(pair, funding.timeframes(pair)[0])
    place = series.last_opened(time_ms)
    return float(series.values[place, 0]) if place >= 0 else _USUAL_RATE


def _bracket() -> Json:
    return {
        "bracket": 1,
        "initialLeverage": 20,
        "notionalCap": 10_000_000,
        "notionalFloor": 0,
        "maintMarginRatio": 0.025,
        "cum": 0.0,
    }


def _contract(endpoints: Endpoints, symbol: str) -> Json:
    base, _, rest = endpoints.symbols[symbol].partition("/")
    quote, _, settle = rest.partition(":")
    decimals = endpoints.decimals(symbol)
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
