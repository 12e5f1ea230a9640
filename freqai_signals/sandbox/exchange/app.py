"""The loopback exchange: one application that answers as Binance would, over stored candles."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from freqai_signals.sandbox.exchange.candle_store import (
    FUNDING,
    FUTURES,
    MARK,
    PERPETUAL,
    SPOT,
    CandleStore,
)
from freqai_signals.sandbox.exchange.clock import Clock
from freqai_signals.sandbox.exchange.faults import Dropped, Faults
from freqai_signals.sandbox.exchange.futures import Contracts, futures_router
from freqai_signals.sandbox.exchange.protocol import BinanceError
from freqai_signals.sandbox.exchange.spot import spot_router

RequestLog = Callable[[str], None]


def create_exchange(
    folder: Path, clock: Clock, log: RequestLog, faults: Faults | None = None
) -> FastAPI:
    """Application that serves the candles of a data directory.

    Parameters
    ----------
    folder
        freqtrade's data directory of one exchange; futures are served from its ``futures`` folder.
    clock
        The exchange's clock.
    log
        Called with one line per request: method, path, status, milliseconds.
    faults
        Turned while the exchange runs; by default nothing goes wrong.
    """
    faults = faults or Faults()
    app = FastAPI(title="freqai-signals sandbox", openapi_url=None)
    app.include_router(spot_router(CandleStore(folder, SPOT), clock, faults))
    app.include_router(futures_router(contracts_of(folder), clock, faults))

    @app.exception_handler(BinanceError)
    async def refuse(request: Request, error: BinanceError) -> JSONResponse:
        return JSONResponse(error.body(), status_code=error.status)

    @app.exception_handler(ValueError)
    async def damaged(request: Request, error: ValueError) -> JSONResponse:
        # A candle file that cannot be read: the client shows the message, which names the file.
        return JSONResponse({"code": -1000, "msg": str(error)}, status_code=500)

    @app.exception_handler(404)
    async def unknown(request: Request, error: Exception) -> JSONResponse:
        message = f"The sandbox has no {request.method} {request.url.path}."
        return JSONResponse({"code": -1, "msg": message}, status_code=404)

    @app.middleware("http")
    async def write_log(
        request: Request, answer: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        began = time.perf_counter()
        # Faults lie inside the log, so that refused requests have a line too.
        response = await _with_faults(faults, request, answer)
        took = 1000 * (time.perf_counter() - began)
        query = f"?{request.url.query}" if request.url.query else ""
        asked = f"{request.method} {request.url.path}{query}"
        # A path is decoded: line ends and escapes of a terminal would be taken literally.
        printable = asked.encode("unicode_escape").decode()
        log(f"{printable} {response.status_code} {took:.1f} ms")
        return response

    return app


def contracts_of(folder: Path) -> Contracts:
    """Books of the futures; without any, spot candles stand for contracts and mark prices."""
    contracts, marks = CandleStore(folder, FUTURES), CandleStore(folder, MARK)
    if not contracts.pairs:
        contracts = marks = CandleStore(folder, PERPETUAL)
    return Contracts(contracts, marks, CandleStore(folder, FUNDING))


class _CutResponse(Response):
    """Announces a body and never sends it; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _with_faults(
    faults: Faults, request: Request, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    try:
        refusal = await faults.meet()
    except Dropped:
        return _CutResponse()
    if refusal is None:
        return await answer(request)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)
