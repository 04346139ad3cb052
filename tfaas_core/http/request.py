"""A Sanic request, as the handlers of routes see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from sanic.request import Request as SanicRequest

from tfaas_core.errors import BadBody

STALL_TIMEOUT_S = 60.0
"""A client that sends nothing for this long, in the middle of a body, is given up."""


class HttpRequest:
    """Implements ``tfaas_core.route.Request``."""

    __slots__ = ("_path_fields", "_request")

    def __init__(self, request: SanicRequest, path_fields: Mapping[str, str]) -> None:
        self._request = request
        self._path_fields = path_fields

    @property
    def method(self) -> str:
        return self._request.method

    @property
    def headers(self) -> Mapping[str, str]:
        return self._request.headers

    @property
    def query(self) -> Mapping[str, str]:
        return {name: values[0] for name, values in self._request.args.items()}

    @property
    def path_fields(self) -> Mapping[str, str]:
        return self._path_fields

    @property
    def body(self) -> bytes:
        return self._request.body

    async def stream(self) -> AsyncIterator[bytes]:
        source = self._request.stream
        while source is not None and source.request_body:
            try:
                async with asyncio.timeout(STALL_TIMEOUT_S):
                    chunk = await source.read()  # type: ignore[attr-defined]
            except TimeoutError:
                raise BadBody(
                    f"the body stopped for {STALL_TIMEOUT_S:g} s before its end"
                ) from None
            if chunk:
                yield chunk
