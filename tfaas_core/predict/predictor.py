"""Predictor: one predict call, top to bottom."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.engine.base import Engine
from tfaas_core.errors import DoesNotFit, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.catalog import Catalog
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, Signature, by_name, conform, runs_whole
from tfaas_core.visit import Visit

LARGE_BODY_BYTES = 1 << 15
"""A larger body is read in a thread, so that the event loop goes on with other clients."""

_THREADS = 4
_MOST_BINDS = 5

T = TypeVar("T")


class Target(msgspec.Struct, frozen=True):
    """What a request's path names: a model, and perhaps its version or its label, not both."""

    model: str
    version: int | None = None
    label: str | None = None

    def of(self, document: Document) -> Target:
        """With what ``document`` adds; raises DoesNotFit if that names anything else."""
        if document.model not in (None, self.model):
            raise _two("model", f"model {self.model[:140]!r}", f"model {document.model[:140]!r}")
        if self.version is None and self.label is None:
            return Target(self.model, document.version, document.label)
        path = _choice(self.version, self.label)
        if document.version not in (None, self.version):
            raise _two("version", path, _choice(document.version, None))
        if document.label not in (None, self.label):
            raise _two("label", path, _choice(None, document.label))
        return self


def _choice(version: int | None, label: str | None) -> str:
    return f"version {version}" if label is None else f"label {label[:140]!r}"


def _two(field: str, path: str, body: str) -> DoesNotFit:
    return DoesNotFit(f"the path names {path}, the body {body}; name one of them", field=field)


def _check_one_place(document: Document) -> None:
    """Raises DoesNotFit if ``document`` names two versions."""
    if document.version is not None and document.label is not None:
        raise DoesNotFit(
            f"both {_choice(document.version, None)} and {_choice(None, document.label)} are "
            "sent, send one of them",
            field="label",
        )


class Prediction(msgspec.Struct, frozen=True):
    """An answer, and the version that gave it."""

    encoded: Encoded
    version: ModelVersion


def fitted(signature: Signature, bound: Bound, max_rows: int) -> list[Array]:
    """What a model of ``signature`` takes, in its order.

    Raises DoesNotFit if that is not what was bound, TooLarge if there are more than ``max_rows``.
    """
    inputs = conform(signature, bound)
    if bound.rows > max_rows:
        raise TooLarge(
            f"{bound.rows} rows are more than the {max_rows} that may ever wait for a model "
            "(engine.max_queue_rows); send fewer at a time",
            expected=max_rows,
            got=bound.rows,
        )
    return inputs


class Predictor:
    """Takes a request's bytes to a model, and its outputs back to bytes."""

    def __init__(self, catalog: Catalog, engine: Engine, max_rows: int) -> None:
        self._catalog = catalog
        self._engine = engine
        self._max_rows = max_rows
        # Of its own: asyncio's others may all be waiting for a storage.
        self._threads = ThreadPoolExecutor(_THREADS, "tfaas-codec")

    async def predict(
        self,
        codec: Codec[Any],
        body: bytes,
        head: Head,
        target: Target | None = None,
        answering: Codec[Any] | None = None,
        visit: Visit | None = None,
    ) -> Prediction:
        """The answer to ``body``, which ``codec`` reads; raises TfaasError if there is none.

        ``target`` is what the path names, if it names a model. ``answering`` writes the
        answer, if that is not ``codec``. ``visit`` gets what becomes known on the way.
        """
        is_large = len(body) > LARGE_BODY_BYTES
        document = (
            await self._in_thread(codec.parse, body, head) if is_large else codec.parse(body, head)
        )
        _check_one_place(document)
        asked = document if target is None else target.of(document)
        name = asked.model
        if visit is not None and visit.gate is not None:
            name = await self._admitted(name, visit)
        version = self._catalog.get(name, asked.version, asked.label)
        if visit is not None:
            visit.model, visit.version = version.name, version.version
        if is_large or codec.is_heavy(document):
            version, bound = await self._bound_in_thread(codec, document, asked, version, visit)
        else:
            bound = codec.bind(document, version)
        signature = version.signature
        inputs = fitted(signature, bound, self._max_rows)
        whole = runs_whole(signature, bound)
        if visit is not None:
            visit.rows = bound.rows
        outputs = await self._engine.run(version, inputs, bound.rows, whole, visit)
        named = by_name(signature, outputs)
        if answering is None or answering is codec:
            return Prediction(codec.encode(named, bound, document, version), version)
        return Prediction(answering.encode_other(named, bound, version), version)

    async def _admitted(self, name: str, visit: Visit) -> str:
        """The model's name, once the guards let the request go to it."""
        # The default model may be another one once they have answered.
        name = self._catalog.name(name)
        # Who may not go there does not learn whether there is such a model.
        waiting = visit.goes_to(name) if name else None
        if waiting is not None:
            await waiting
        return name

    async def _bound_in_thread(
        self,
        codec: Codec[Any],
        document: Document,
        asked: Target | Document,
        version: ModelVersion,
        visit: Visit | None,
    ) -> tuple[ModelVersion, Bound]:
        """Binds; if the live version changed meanwhile, binds again."""
        for binds_left in reversed(range(_MOST_BINDS)):
            bound = await self._in_thread(codec.bind, document, version)
            current = self._catalog.get(version.name, asked.version, asked.label)
            if current.key == version.key or not binds_left:
                break
            version = current
        if visit is not None:
            visit.version = version.version
        return version, bound

    def _in_thread(self, work: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        """Gives its threads back."""
        self._threads.shutdown(wait=False)
