"""How a test looks at a dashboard: in a browser, until each chart is drawn, empty or in error."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Locator, Page, Response, sync_playwright

from tests.test_browser import CHROMIUM_ARGUMENTS

_TALLER_THAN_ANY_DASHBOARD = 5_000
_LOOK = """() => {
    const charts = [...document.querySelectorAll('[data-test-chart-name]')]
    const title = chart => chart.dataset.testChartName
    const drawn = chart => chart.querySelector(
        'canvas, table, .superset-legacy-chart-world-map svg path, .header-line')
    const wrong = chart => chart.querySelector('.ant-alert-error, [data-test="error-message"]')
    const empty = chart => chart.querySelector('.ant-empty')
    const waits = chart => chart.querySelector('.loading, [data-test="loading-indicator"]')
    return {
        titles: charts.map(title),
        waiting: charts.filter(c => waits(c) || !(drawn(c) || wrong(c) || empty(c))).map(title),
        wrong: charts.filter(wrong).map(c => title(c) + ': ' + wrong(c).innerText.slice(0, 300)),
        empty: charts.filter(c => empty(c) && !wrong(c)).map(title),
    }
}"""
_CELLS = """rows => rows.map(
    row => [...row.querySelectorAll('td')].map(cell => cell.innerText.trim())
)"""


@dataclass
class Seen:
    """What a page asked for since it was opened: refused or failed answers, and foreign hosts."""

    host: str
    refused: list[str] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)

    def note(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.request.method} {response.url}")
        if urlsplit(response.url).netloc not in {self.host, ""}:
            self.foreign.add(response.url)


@dataclass
class Visitor:
    """A person who has logged in by the form."""

    page: Page
    seen: Seen

    def open(self, slug: str) -> dict[str, list[str]]:
        """Titles of the charts, and of those that are empty or in error, once all have settled."""
        self.seen.refused.clear()
        self.page.goto(f"/superset/dashboard/{slug}/")
        return self.settled()

    def settled(self) -> dict[str, list[str]]:
        """The same of the page as it is, after a filter or a click."""
        deadline, quiet = time.monotonic() + 120, 0
        look: dict[str, list[str]] = {}
        while quiet < 3:
            assert time.monotonic() < deadline, f"charts are not drawn: {look}"
            self.page.wait_for_timeout(300)
            look = self.page.evaluate(_LOOK)
            quiet = quiet + 1 if look["titles"] and not look["waiting"] else 0
        return look

    def chart(self, title: str) -> Locator:
        """The chart of this title."""
        return self.page.locator(f'[data-test-chart-name="{title}"]')

    def number(self, title: str) -> str:
        """The big number of a chart."""
        return self.chart(title).locator(".header-line").inner_text().strip()

    def rows(self, title: str) -> list[list[str]]:
        """The cells of a table as a person reads them."""
        cells: list[list[str]] = self.chart(title).locator("tbody tr").evaluate_all(_CELLS)
        return cells

    def choose(self, name: str, value: str) -> None:
        """Set a filter of the bar to one value, and apply it."""
        box = self.page.locator(f'[data-test="NATIVE_FILTER-{name}"]')
        if not box.is_visible():
            self.page.get_by_text("More filters").click()
        box.click()
        self.page.keyboard.type(value)
        self.page.locator(f'.ant-select-item-option[title="{value}"]').click()
        self.page.keyboard.press("Escape")
        self.page.locator('[data-test="filter-bar__apply-button"]').click()


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield opened
        opened.close()


def log_in(opened: Browser, address: str, user: str, password: str, width: int) -> Visitor:
    """Log in by the form, in a window of its own that is taller than any dashboard."""
    context = opened.new_context(
        base_url=address, viewport={"width": width, "height": _TALLER_THAN_ANY_DASHBOARD}
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    seen = Seen(urlsplit(address).netloc)
    page.on("response", seen.note)
    page.goto("/login/")
    page.fill("input#username", user)
    page.fill("input#password", password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/superset/dashboard/overview/")
    return Visitor(page, seen)
