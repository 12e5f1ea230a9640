"""A headless Chromium for tests of pages: opens a file, hears its console, takes pictures."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """Path of an installed browser, empty if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


@dataclass
class Page:
    """An open page.

    ``complaints`` are errors and warnings of its console, uncaught exceptions, and refused loads;
    ``requests`` are addresses that it asked for.
    """

    socket: aiohttp.ClientWebSocketResponse
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _number: int = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        await self.socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = await asyncio.wait_for(self.socket.receive_json(), 60)
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return dict(message["result"])
            self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
        if message.get("method") == "Log.entryAdded" and params["entry"]["level"] != "info":
            self.complaints.append(params["entry"]["text"])
        spoken = message.get("method") == "Runtime.consoleAPICalled"
        if spoken and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(params["args"])[:500])
        if message.get("method") == "Network.requestWillBeSent":
            url = params["request"]["url"]
            self.requests += [] if url.startswith("data:") else [url]

    async def ask(self, expression: str) -> Any:
        """Value of a JavaScript expression."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"])[:500])
        return found["result"].get("value")

    async def until(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true."""
        for _ in range(int(seconds * 10)):
            if await self.ask(expression):
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(f"never true: {expression}; console: {self.complaints}")

    async def open(
        self, file: Path, width: int = 900, *, dark: bool = False, height: int = 900
    ) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=file.resolve().as_uri())
        await self.until("document.readyState === 'complete'")

    async def size(self, width: int, height: int) -> None:
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip

    async def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    async def printed(self, file: Path) -> None:
        """The page as it is printed, PDF."""
        found = await self.call("Page.printToPDF", printBackground=True)
        file.write_bytes(base64.b64decode(found["data"]))


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """One page of a browser of our own, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--remote-debugging-port=0", "--mute-audio",
                "--disable-background-networking", f"--user-data-dir={folder}", "about:blank",
            ],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(folder) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [item for item in await answer.json() if item["type"] == "page"]
                url = pages[0]["webSocketDebuggerUrl"]
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.terminate()
            process.wait(30)


async def _port(file: Path) -> int:
    for _ in range(600):
        if file.is_file() and (text := file.read_text().split()):
            return int(text[0])
        await asyncio.sleep(0.1)
    raise TimeoutError("the browser did not start")


async def _photograph(file: Path, picture: Path, width: int, height: int) -> None:
    async with browser() as page:
        await page.open(file, width, height=height)
        await page.until("document.documentElement.dataset.ready === 'yes'")
        await page.until("document.querySelector('#reliability-0 .main-svg') !== null")
        await asyncio.sleep(1)
        found = await page.call("Page.captureScreenshot")
        picture.write_bytes(base64.b64decode(found["data"]))


if __name__ == "__main__":
    # python -m tests.browser PAGE.html PICTURE.png: the picture in README.md.
    asyncio.run(_photograph(Path(sys.argv[1]), Path(sys.argv[2]), 1200, 1480))
