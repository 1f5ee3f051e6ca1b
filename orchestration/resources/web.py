"""The door to web pages: conditional GETs, bounded in time, size and redirects.

A page is bytes of a stranger: nothing in here looks into it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2

_REDIRECTS = 3
_VALIDATOR_CHARACTERS = 500
_DETAIL_CHARACTERS = 300
_LONGEST_WAIT = timedelta(days=7)


@dataclass(frozen=True)
class Limits:
    """What one GET may take, in all, and who it says that it is."""

    seconds: float
    max_bytes: int
    user_agent: str


@dataclass(frozen=True)
class Validators:
    """What a server gave to be asked with whether a page has changed."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The conditions of a GET."""
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in conditions.items() if value is not None}


@dataclass(frozen=True)
class Wanted:
    """A page to get, unless it is the one that the validators stand for."""

    url: str
    accept: str
    validators: Validators = Validators()


@dataclass(frozen=True)
class Page:
    """What was answered; `body` is None for "not modified"."""

    content_type: str
    body: bytes | None
    validators: Validators


class GetFailed(Exception):
    """No page came. `detail` is a sentence; `wait` is how long the server asks to be left alone."""

    def __init__(self, detail: str, wait: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.wait = wait


def get_all(pages: Sequence[Wanted], limits: Limits) -> list[Page | GetFailed]:
    """Get the pages at once, but one after the other where they are of one host."""
    return asyncio.run(_get_all(pages, limits))


async def _get_all(pages: Sequence[Wanted], limits: Limits) -> list[Page | GetFailed]:
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(wanted: Wanted) -> Page | GetFailed:
        async with turns[urlsplit(wanted.url).netloc]:
            try:
                async with asyncio.timeout(limits.seconds):
                    return await _get(wanted, limits)
            except GetFailed as failed:
                return failed
            except TimeoutError:
                return GetFailed(f"did not answer in full within {limits.seconds:g} s")
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
                return GetFailed(f"cannot be read: {error!r}"[:_DETAIL_CHARACTERS])

    return await asyncio.gather(*map(get, pages))


async def _get(wanted: Wanted, limits: Limits) -> Page:
    headers = {
        "User-Agent": limits.user_agent,
        "Accept": wanted.accept,
        "Accept-Encoding": "gzip",
        **wanted.validators.headers(),
    }
    async with (
        httpx2.AsyncClient(
            follow_redirects=True, max_redirects=_REDIRECTS, timeout=limits.seconds
        ) as client,
        client.stream("GET", wanted.url, headers=headers) as response,
    ):
        body = await _body(response, wanted, limits.max_bytes)
        return Page(
            content_type=response.headers.get("content-type", ""),
            body=body,
            validators=wanted.validators if body is None else _validators(response),
        )


async def _body(response: httpx2.Response, wanted: Wanted, max_bytes: int) -> bytes | None:
    if response.status_code == httpx2.codes.NOT_MODIFIED and wanted.validators.headers():
        return None
    if response.status_code != httpx2.codes.OK:
        raise GetFailed(f"answered HTTP {response.status_code}", _wait(response))
    # Other encodings, or one within the other, grow without bounds on unpacking.
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise GetFailed(f"is packed as {encoding!r}, which was not asked for"[:_DETAIL_CHARACTERS])
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > max_bytes:
            raise GetFailed(f"is larger than {max_bytes:,} bytes")
    return bytes(body)


def _wait(response: httpx2.Response) -> timedelta | None:
    """What Retry-After says, in seconds or as a date; a week at most."""
    value = response.headers.get("retry-after", "").strip()
    try:
        if value.isdecimal():
            return timedelta(seconds=min(int(value), _LONGEST_WAIT.total_seconds()))
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment - datetime.now(UTC), timedelta()), _LONGEST_WAIT)
    except (ValueError, IndexError, OverflowError):
        return None


def _validators(response: httpx2.Response) -> Validators:
    def sendable(name: str) -> str | None:
        value = response.headers.get(name, "")
        fits = 0 < len(value) <= _VALIDATOR_CHARACTERS and value.isascii() and value.isprintable()
        return value if fits else None

    return Validators(sendable("etag"), sendable("last-modified"))
