"""FreqUI over a backtest or a running bot in a real browser: pictures, and whether all is there.

``make ui-check FREQUI=DIR`` builds FreqUI from its public source in DIR and runs this; with
``--bot CREDENTIALS`` it looks at a bot that runs, for example that of ``make trade``. Nothing of
FreqUI comes into the project or into freqtrade's own folder: its built files and freqtrade's API
are served together on a free port of 127.0.0.1.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web

from freqai_signals.commands.credentials import ensure_credentials
from tests.browser import Page, browser, chromium

STRATEGY, MODEL = "LightGBMSignalStrategy", "LightGBMSignalClassifier"
STORE = "document.querySelector('#app').__vue_app__.config.globalProperties.$pinia._s.get"
DRAWN = f"Object.keys({STORE}('plotConfig')?.plotConfig?.subplots ?? {{}}).length > 0"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def freqtrade(arguments: argparse.Namespace, folder: Path) -> AsyncIterator[dict[str, Any]]:
    """freqtrade's web server over the sandbox; its API's settings."""
    secrets = folder / "credentials.json"
    ensure_credentials(secrets, free_port())
    command = [
        *(sys.executable, "-m", "freqai_signals", "sandbox"),
        *(("--datadir", arguments.datadir) if arguments.datadir else ()),
        *("--pairs", *arguments.pairs, "--", sys.executable, "-m", "freqtrade", "webserver"),
        *("--config", "config.json", "--config", str(secrets), "--userdir", "user_data"),
    ]
    with (folder / "webserver.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield json.loads(secrets.read_text())["api_server"]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


@contextlib.asynccontextmanager
async def running(arguments: argparse.Namespace, _: Path) -> AsyncIterator[dict[str, Any]]:
    """The API's settings of a bot that runs already."""
    yield json.loads(arguments.bot.read_text())["api_server"]


@contextlib.asynccontextmanager
async def one_address(dist: Path, api: str) -> AsyncIterator[str]:
    """FreqUI's files and freqtrade's API at one address, as freqtrade serves them."""
    async with ClientSession() as session:

        async def passed_on(request: web.Request) -> web.Response:
            kept = {
                n: v for n, v in request.headers.items() if n in ("Authorization", "Content-Type")
            }
            asked = session.request(
                request.method, f"{api}{request.path_qs}", headers=kept, data=await request.read()
            )
            async with asked as answer:
                kind = answer.headers.get("Content-Type", "application/json")
                return web.Response(
                    status=answer.status, body=await answer.read(), headers={"Content-Type": kind}
                )

        async def file(request: web.Request) -> web.FileResponse:
            path = dist / request.path.lstrip("/")
            return web.FileResponse(path if path.is_file() else dist / "index.html")

        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{path:.*}", passed_on)
        app.router.add_get("/{path:.*}", file)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            await runner.cleanup()


async def logged_in(url: str, server: dict[str, Any]) -> dict[str, Any]:
    """The login that FreqUI keeps, as soon as the API answers."""
    api = f"http://127.0.0.1:{server['listen_port']}/api/v1/token/login"
    secret = base64.b64encode(f"{server['username']}:{server['password']}".encode()).decode()
    async with ClientSession(headers={"Authorization": f"Basic {secret}"}) as session:
        for _ in range(3000):
            with contextlib.suppress(ClientError, ValueError):
                async with session.post(api) as answer:
                    if answer.status == 200:
                        tokens = await answer.json()
                        return {
                            "botName": "check", "apiUrl": url, "username": server["username"],
                            "accessToken": tokens["access_token"], "autoRefresh": True,
                            "refreshToken": tokens["refresh_token"], "sortId": 0,
                        }  # fmt: skip
            await asyncio.sleep(0.2)
    raise TimeoutError("freqtrade's web server did not answer")


async def plots_of(url: str, login: dict[str, Any]) -> dict[str, Any]:
    """What the strategy has FreqUI draw."""
    bearer = {"Authorization": f"Bearer {login['accessToken']}"}
    question = f"{url}/api/v1/plot_config?strategy={STRATEGY}"
    async with ClientSession(headers=bearer) as api, api.get(question) as answer:
        return dict(await answer.json())


async def opened(page: Page, url: str, stored: dict[str, Any]) -> None:
    """Open the chart page as one finds it who has logged in before and saved plots and theme."""
    await page.size(1600, 1200)
    await page.call("Page.navigate", url=f"{url}/login")
    await page.until("document.readyState === 'complete'")
    for name, value in stored.items():
        await page.ask(f"localStorage.setItem({json.dumps(name)}, {json.dumps(json.dumps(value))})")
    await page.call("Page.navigate", url=f"{url}/graph")
    await page.until(f"document.querySelector('#app')?.__vue_app__ && {DRAWN}")


async def see(page: Page, url: str, login: dict[str, Any], options: argparse.Namespace) -> set[str]:
    """Take a picture of the chart in each theme; columns that are drawn but not there."""
    for domain in ("Page", "Runtime", "Log", "Network"):
        await page.call(f"{domain}.enable")
    plots = await plots_of(url, login)
    wanted = sorted({name for plot in plots["subplots"].values() for name in plot})
    bot, pair = f"{STORE}('ftbot-wrapper').activeBot", options.pairs[0]
    asked: dict[str, Any] = {"pair": pair, "timeframe": "5m", "columns": wanted}
    if options.bot:
        ask, kept = "getPairCandles", "candleData"
    else:
        ask, kept = "getPairHistory", "history"
        asked |= {"timerange": options.timerange, "strategy": STRATEGY, "freqaimodel": MODEL}
        asked |= {"live_mode": False}
    there: list[str] = []
    for theme in ("dark", "light"):
        stored = {
            "ftAuthLoginInfo": {"ftbot.0": login},
            # What "gear, from strategy, save" does by hand.
            "ftPlotConfig": {"plotConfigName": "default", "customPlotConfigs": {"default": plots}},
            # A switch in an open chart leaves half of FreqUI's chart in the other theme.
            "ftUISettings": {"currentTheme": theme},
        }
        await opened(page, url, stored)
        chosen = {"strategy": STRATEGY, "timerange": options.timerange, "selectedTimeframe": "5m"}
        await page.ask(f"Object.assign({STORE}('chartConfig'), {json.dumps(chosen)})")
        await page.ask(f"{bot}.selectedPair = {json.dumps(pair)}")
        await page.ask(f"{bot}.{ask}({json.dumps(asked)}).then(() => 1)")
        await page.until("document.querySelectorAll('canvas').length > 0", 120)
        await asyncio.sleep(3)
        await page.picture(options.out / f"{theme}.png")
        columns = f"{bot}.{kept}[{json.dumps(f'{pair}__5m')}].data.columns"
        there = await page.ask(f"[...{columns}]")
    return set(wanted) - set(there)


async def check(options: argparse.Namespace) -> int:
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        started = running if options.bot else freqtrade
        async with started(options, Path(folder)) as server:
            api = f"http://127.0.0.1:{server['listen_port']}"
            async with one_address(options.dist.resolve(), api) as url, browser() as page:
                missing = await see(page, url, await logged_in(url, server), options)
    for name in sorted(missing):
        print(f"the strategy's plots name {name}, which no column of the answer is")
    print(f"dark.png and light.png are in {options.out}")
    return int(bool(missing))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dist", type=Path, required=True, help="FreqUI's built files")
    parser.add_argument("--datadir", help="candles; default: the simulated market")
    parser.add_argument("--pairs", nargs="+", default=["BTC/USDT"])
    parser.add_argument("--timerange", default="", help="of the backtest")
    parser.add_argument("--bot", type=Path, help="credentials file of a running bot to look at")
    parser.add_argument("--out", type=Path, default=Path("user_data/ui-check"))
    if not chromium():
        parser.error("no Chromium is installed (apt install chromium)")
    options = parser.parse_args()
    if not options.bot and not options.timerange:
        parser.error("give --timerange of a backtest, or --bot")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return asyncio.run(check(options))


if __name__ == "__main__":
    sys.exit(main())
