"""Handlers: what those of all protocols do alike, over one Host."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.route import Head, Request, Response
from tfaas_core.tensors import Arrays
from tfaas_plugins.protocols.answers import answered
from tfaas_plugins.protocols.served_models import ServedModels

READ = ("gzip", "deflate")
"""Encodings of bodies."""

T = TypeVar("T")
Models = TypeVar("Models", bound=ServedModels)


class Handlers(ABC, Generic[Models]):
    """``get`` and ``post`` are the handlers; their errors are answered in the protocol's shape."""

    def __init__(self, models: Models) -> None:
        self.host = models.host
        self._models = models
        self._base_characters = len(self.host.config.server.base)

    async def get(self, request: Request) -> Response:
        """``GET``: what there is."""
        return await answered(self._get(request))

    @abstractmethod
    async def post(self, request: Request) -> Response:
        """``POST``: a prediction."""

    @abstractmethod
    async def _get(self, request: Request) -> Response: ...

    def path(self, head: Head) -> str:
        """The path as sent, without ``server.base``."""
        return head.raw_path[self._base_characters :]

    async def read(self, request: Request, work: Callable[..., T], *arguments: object) -> T:
        """``work(*arguments)``, in a thread if the body is large."""
        if is_large(request):
            return await self._models.in_thread(work, *arguments)
        return work(*arguments)

    async def written(self, outputs: Arrays, write: Callable[..., T], *arguments: object) -> T:
        """``write(*arguments)``, in a thread if ``outputs`` are large."""
        return await self._models.written([outputs], write, *arguments)


def is_large(request: Request) -> bool:
    """Whether the body is to be read in a thread."""
    return len(request.body) > LARGE_BODY_BYTES or request.head.content_encoding != ""
