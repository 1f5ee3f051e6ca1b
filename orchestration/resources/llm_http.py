"""The HTTP under the SDK: its requests go straight to aiohttp, and come back with the body read.

What the SDK ships for this takes as much CPU again, and a dropped connection for a timeout.
"""

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from orchestration.settings import LlmSettings

_CONNECT_SECONDS = 10.0


class AioHttpClient(httpx2.AsyncClient):
    """Sends to the one address that the settings lead to what the SDK gives it, as it is."""

    def __init__(self, settings: LlmSettings) -> None:
        self._aiohttp = _AioHttp(settings)
        self._url = httpx2.URL(completions_url(settings))
        super().__init__(transport=self._aiohttp)

    def build_request(self, method: str, url: Any, **given: Any) -> httpx2.Request:
        """Without what a client could add: cookies, parameters, headers of its own."""
        del url
        return httpx2.Request(method, self._url, headers=given["headers"], content=given["content"])

    async def send(self, request: httpx2.Request, **_: Any) -> httpx2.Response:
        """Without httpx2's own authentication, hooks and redirects."""
        response = await self._aiohttp.handle_async_request(request)
        response.request = request
        return response


def completions_url(settings: LlmSettings) -> str:
    """Where chat completions are asked for."""
    return f"{settings.base_url.rstrip('/')}/chat/completions"


class _AioHttp(httpx2.AsyncBaseTransport):
    """One pool of connections on one event loop. Raises what httpx2 does for the same faults."""

    def __init__(self, settings: LlmSettings) -> None:
        seconds = settings.timeout_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.concurrency, ssl=httpx2.create_ssl_context()
            ),
            timeout=aiohttp.ClientTimeout(
                total=seconds, sock_connect=min(seconds, _CONNECT_SECONDS)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # httpx2 does
            proxy=_proxy(settings.base_url),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See the class."""
        try:
            async with self._session.request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=request.content,
            ) as answer:
                return httpx2.Response(
                    answer.status, headers=answer.raw_headers, content=await answer.read()
                )
        except aiohttp.ConnectionTimeoutError as error:
            raise httpx2.ConnectTimeout(str(error)) from error
        except TimeoutError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError(str(error)) from error
        except aiohttp.ClientError as error:
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        """End the connections."""
        await self._session.close()


def _proxy(url: str) -> str | None:
    """The one that the environment (HTTPS_PROXY, NO_PROXY) has for this address."""
    address = urlsplit(url)
    if proxy_bypass(address.netloc):
        return None
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all")
