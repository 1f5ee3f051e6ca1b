"""The HTTP under the SDK: its requests go to aiohttp, and come back with the whole body read.

What the SDK ships for this streams each answer and takes a dropped connection for a timeout.
"""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from orchestration.settings import LlmSettings


class AioHttpTransport(httpx2.AsyncBaseTransport):
    """One pool of connections on one event loop. Raises what httpx2 does for the same faults."""

    def __init__(self, settings: LlmSettings) -> None:
        seconds = settings.timeout_seconds
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.concurrency, ssl=httpx2.create_ssl_context()
            ),
            timeout=aiohttp.ClientTimeout(connect=seconds, sock_connect=seconds, sock_read=seconds),
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
                allow_redirects=False,
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
