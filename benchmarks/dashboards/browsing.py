"""A manager in a real browser (Debian's chromium) who opens Overview: when it is painted."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    BrowserContext,
    Page,
    Playwright,
    Request,
    ViewportSize,
    sync_playwright,
)

from benchmarks.dashboards.serving import Superset
from orchestration.errors import UsageError
from tests.test_browser import CHROMIUM_ARGUMENTS

_SCREEN = ViewportSize(width=1600, height=1000)
_OVERVIEW = "/superset/dashboard/overview/"
_SAYS = "painted: "
_PATIENCE = 120_000.0  # ms
_WATCH = (Path(__file__).parent / "painted.js").read_text()


@dataclass(frozen=True)
class Opening:
    """Seconds since the browser was sent to Overview until it is painted: what the screen shows
    without scrolling, and all of it. `answers`: milliseconds of each request for data, the
    browser's own queue not counted, by what asked for it."""

    first: float
    whole: float
    answers: Mapping[str, float]


class Chromium:
    """Browsers with a profile each on disk, as people have them: one in memory keeps no large
    script and compiles all of them for each page."""

    def __init__(self, playwright: Playwright, folder: Path) -> None:
        self._type = playwright.chromium
        self._folder = folder

    def browser(self, address: str) -> BrowserContext:
        """One that was never used."""
        return self._type.launch_persistent_context(
            tempfile.mkdtemp(dir=self._folder),
            executable_path=shutil.which("chromium"),
            args=CHROMIUM_ARGUMENTS,
            viewport=_SCREEN,
            base_url=address,
        )


class Manager:
    """Logged in by the form, with Superset's modules loaded by a look at two dashboards."""

    def __init__(self, browsers: Chromium, superset: Superset) -> None:
        self._browsers = browsers
        self._superset = superset
        self._own = browsers.browser(superset.address)
        page = _page(self._own)
        page.goto("/login/")
        page.fill("input#username", "manager")
        page.fill("input#password", superset.password)
        _painted(page, lambda: page.keyboard.press("Enter"))
        _painted(page, lambda: page.goto("/superset/dashboard/supplier/"))
        page.close()

    def open(self) -> Opening:
        """In the browser of the login, which has Superset's scripts on disk."""
        return _open(self._own, self._superset)

    def open_elsewhere(self) -> Opening:
        """In a browser that has the session of the login and nothing else."""
        other = self._browsers.browser(self._superset.address)
        cookies: Any = self._own.cookies()
        other.add_cookies(cookies)
        opening = _open(other, self._superset)
        other.close()
        return opening


@contextmanager
def chromium() -> Iterator[Chromium]:
    """All browsers are closed afterwards. Raises UsageError where it is not installed."""
    if shutil.which("chromium") is None:
        raise UsageError("chromium is needed: apt-get install chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        yield Chromium(playwright, Path(folder))


def _page(context: BrowserContext) -> Page:
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    page.add_init_script(_WATCH)
    return page


def _open(context: BrowserContext, superset: Superset) -> Opening:
    page = _page(context)
    finished: list[Request] = []
    page.on("requestfinished", lambda request: finished.append(request))
    painted = _painted(page, lambda: page.goto(_OVERVIEW, wait_until="commit"))
    answers = {
        _asked_by(request, superset.charts): request.timing["responseEnd"]
        - request.timing["requestStart"]
        for request in finished
        if "/api/v1/chart/data" in request.url
    }
    page.close()
    return Opening(painted["first"] / 1_000, painted["whole"] / 1_000, answers)


def _painted(page: Page, go: Callable[[], object]) -> dict[str, Any]:
    """What painted.js says of the dashboard that one gets to. Raises RuntimeError for a chart in
    error."""
    with page.expect_console_message(lambda message: message.text.startswith(_SAYS)) as said:
        go()
    painted: dict[str, Any] = json.loads(said.value.text.removeprefix(_SAYS))
    if painted["wrong"]:
        raise RuntimeError(f"charts in error: {painted['wrong']}")
    return painted


def _asked_by(request: Request, charts: Mapping[int, str]) -> str:
    asked: dict[str, Any] = json.loads(request.post_data or "{}").get("form_data", {})
    if "native_filter_id" in asked:
        return f"filter: {asked['native_filter_id']}".replace("NATIVE_FILTER-", "")
    return charts.get(int(asked.get("slice_id", 0)), request.url)
