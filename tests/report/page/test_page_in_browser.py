"""The page in a real browser, where one is installed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import Page, browser, chromium
from tests.report.page.test_html_page import with_everything, written

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium(), reason="no Chromium is installed (apt install chromium)"),
]

ALL_DRAWN = "[...document.querySelectorAll('.chart')].every(c => c.querySelector('.main-svg'))"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(written(with_everything()))
    return path


def see(steps: Callable[[Page], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with browser() as page:
            return await steps(page)

    return asyncio.run(run())


@pytest.mark.parametrize("width", [390, 900, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_all_is_drawn_within_the_width_and_the_console_stays_silent(
    file: Path, width: int, dark: bool
) -> None:
    async def steps(page: Page) -> None:
        await page.open(file, width, dark=dark, height=30_000)
        await page.until("document.documentElement.dataset.ready === 'yes'")
        await page.until(ALL_DRAWN)
        assert await page.ask("document.documentElement.scrollWidth") <= width
        paper = await page.ask("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
        assert page.complaints == []
        assert set(page.requests) == {file.resolve().as_uri()}

    see(steps)


def test_the_switch_turns_paper_and_drawings(file: Path) -> None:
    async def steps(page: Page) -> None:
        await page.open(file, 900, height=30_000)
        await page.until("document.documentElement.dataset.ready === 'yes'")
        await page.until(ALL_DRAWN)
        ink = "document.querySelector('#skill-0').layout.font.color"
        before = await page.ask(ink)
        await page.ask("document.getElementById('theme').click()")
        assert await page.ask("document.documentElement.dataset.theme") == "dark"
        assert await page.ask(ink) != before
        assert page.complaints == []

    see(steps)


def test_words_are_painted_before_plotly_is_unpacked(file: Path) -> None:
    async def steps(page: Page) -> None:
        await page.open(file, 900)
        await page.until("document.documentElement.dataset.ready === 'yes'")
        painted = await page.ask(
            "performance.getEntriesByName('first-contentful-paint')[0].startTime"
        )
        assert painted < await page.ask("performance.now()")
        below = "document.querySelector('#gaps .chart').querySelector('.main-svg') === null"
        assert await page.ask(below), "what is not on the screen is drawn when it comes there"

    see(steps)


def test_without_javascript_the_tables_stand_open(file: Path) -> None:
    async def steps(page: Page) -> None:
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(file, 900)
        shown = "[...document.querySelectorAll('details.table')].every(d => d.open)"
        assert await page.ask(shown)
        hidden = "getComputedStyle(document.querySelector('.figures')).display"
        assert await page.ask(hidden) == "none"

    see(steps)


def test_a_browser_that_cannot_unpack_shows_the_tables(file: Path) -> None:
    async def steps(page: Page) -> None:
        await page.call("Page.enable")
        await page.call(
            "Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream"
        )
        await page.open(file, 900)
        await page.until("document.documentElement.classList.contains('plain')")
        assert await page.ask("[...document.querySelectorAll('details.table')].every(d => d.open)")
        assert page.complaints == []

    see(steps)


def test_printing_draws_everything(file: Path, tmp_path: Path) -> None:
    async def steps(page: Page) -> None:
        await page.open(file, 900, dark=True)
        await page.until("document.documentElement.dataset.ready === 'yes'")
        await page.printed(tmp_path / "report.pdf")
        assert await page.ask(ALL_DRAWN)
        assert await page.ask("document.documentElement.dataset.theme") is None
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        await page.call("Emulation.setEmulatedMedia", media="print", features=[scheme])
        paper = await page.ask("getComputedStyle(document.body).backgroundColor")
        assert paper == "rgb(255, 255, 255)", "paper is white, whatever the screen was"

    see(steps)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
