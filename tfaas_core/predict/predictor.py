"""Predictor: one predict call, top to bottom."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from tfaas_core.codec import Codec, Document
from tfaas_core.engine.base import Engine
from tfaas_core.errors import TooLarge, Unavailable, UnknownVersion
from tfaas_core.levels import as_numbers
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.early_binding import EarlyBinding, read_at_once, read_early
from tfaas_core.predict.inference import (
    InferenceRequest,
    InferenceResult,
    Settled,
    followed,
    in_time,
)
from tfaas_core.predict.prediction import Prediction, encoded_by, large_prediction, take_long
from tfaas_core.predict.target import Target, target_with
from tfaas_core.route import Head
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.system.loop.threads import ThreadsByKind
from tfaas_core.tensors import Array, Bound, Signature, conform, runs_whole
from tfaas_core.visit import Visit

_MOST_BINDS = 5

T = TypeVar("T")


def fitted(
    signature: Signature, bound: Bound, max_rows: int, keeps_levels: bool = False
) -> list[Array]:
    """What a model of ``signature`` takes, in its order. ``keeps_levels``: not as numbers.

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
    return inputs if keeps_levels else as_numbers(inputs)


class Predictor:
    """Takes a request's bytes to a model, and its outputs back to bytes."""

    def __init__(
        self, catalog: Catalog, engine: Engine, max_rows: int, in_flight: InFlight
    ) -> None:
        self._catalog = catalog
        self._in_flight = in_flight
        self._engine = engine
        self._max_rows = max_rows
        self._threads = ThreadsByKind()

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
        early: EarlyBinding | None = None
        if (document := read_at_once(codec, body, head)) is None:
            early = await self._read_early(target, visit, codec, body, head)
            document = early.document
        asked = target_with(document, target)
        name = asked.model
        if visit is not None and visit.gate is not None:
            name, waiting = self._goes_to(name, visit)
            if waiting is not None:
                await waiting
        version = self._current(name, asked, visit)
        if early is not None or codec.is_heavy(document, version):
            binding = codec, document, asked, version, visit, early
            version, bound = await self._bound_in_thread(*binding)
        else:
            bound = codec.bind(document, version)
        try:
            outputs = await self._running(InferenceRequest(version, bound, None, None, "", visit))
        except UnknownVersion:  # it was removed, or replaced, before it was loaded
            anew = codec, document, asked, name, version, visit
            version, bound, outputs = await self._run_anew(*anew)
        encoding = codec, answering, outputs, bound, document, version
        if take_long(outputs):
            write = partial(self.in_thread, encoded_by, *encoding, kind=codec.name)
            return await large_prediction(write, outputs, version, self._in_flight)
        return Prediction(encoded_by(*encoding), version)

    def _current(
        self, name: str | None, asked: Target | Document, visit: Visit | None = None
    ) -> ModelVersion:
        """The version, with its signature, that is asked for; ``visit`` gets to know it."""
        version = self._catalog.get(name, asked.version, asked.label)
        if version.others:
            version = version.signed(asked.signature)
        if visit is not None:
            visit.model, visit.version = version.name, version.version
        return version

    def _looked_up(self, target: Target | None, document: Document) -> ModelVersion:
        """The same of a document, in any thread: nothing but looking is done."""
        asked = target_with(document, target)
        return self._current(asked.model, asked)

    async def resolve(self, target: Target, visit: Visit | None = None) -> ModelVersion:
        """The version and signature that ``target`` names, once guards let the request go there.

        Raises what guards raise, UnknownModel, UnknownVersion and StorageUnavailable, and
        DoesNotFit for a signature.
        """
        if visit is not None and visit.gate is not None:
            _name, waiting = self._goes_to(target.model, visit)
            if waiting is not None:
                await waiting
        return self.found(target, visit)

    def found(self, target: Target, visit: Visit | None = None) -> ModelVersion:
        """The same, once guards have let the request go there, or if nobody asks them."""
        if visit is not None and visit.steps is not None:
            # It is asked again once it was bound, if that took long.
            visit.ends_step("bind" if visit.steps else "parse")
        version = self._catalog.get(target.model, target.version, target.label)
        if version.others or target.signature is not None:
            version = version.signed(target.signature)
        if visit is not None:
            visit.model, visit.version = version.name, version.version
            if visit.steps is not None:
                visit.begins_step()
        return version

    async def infer(self, asked: InferenceRequest) -> InferenceResult:
        """Runs a request of any protocol, with others of any protocol; raises TfaasError."""
        try:
            return asked.result(await self.begin(asked))
        except UnknownVersion:
            return await self.infer_anew(asked, Target(asked.version.name, asked.version.version))

    async def infer_anew(self, asked: InferenceRequest, target: Target) -> InferenceResult:
        """As ``infer``, by what ``target`` names now; or, if that takes or gives anything else, by
        the version before. Raises Unavailable if that was removed, and as ``found``."""
        gone, tries_left = asked.version, _MOST_BINDS
        while True:
            await self._catalog.refresh(gone.name)
            self._engine.looked_up(gone.name)
            version = self.found(target, asked.visit)
            left = [each.key for each in self._catalog.model(gone.name).versions]
            if version.signature != gone.signature and gone.key in left:
                version = gone
            if version.signature != gone.signature:
                raise Unavailable(
                    f"{gone.reference} was removed before it was loaded, and {version.reference} "
                    "takes or gives something else; send the request again",
                    model=gone.name,
                )
            try:
                anew = msgspec.structs.replace(asked, version=version)
                return anew.result(await self.begin(anew))
            except UnknownVersion:
                tries_left -= 1
                if not tries_left:
                    raise

    def begin(self, asked: InferenceRequest) -> Awaitable[list[Array]]:
        """The run of a request, begun: it gives the outputs of which ``asked.result`` is made.

        Raises TfaasError, as what it gives may.
        """
        if asked.outputs is not None:
            asked.check_outputs()
        running, visit = self._running(asked), asked.visit
        if visit is not None and visit.steps is not None:
            running = followed(running, visit)
        timeout_s = asked.timeout_s
        return running if timeout_s is None else in_time(asked.version, timeout_s, running)

    def again(
        self,
        settled: Settled,
        inputs: Sequence[Array],
        visit: Visit | None,
        timeout_s: float | None = None,
    ) -> Awaitable[list[Array]]:
        """The run of ``inputs``, begun, as by ``begin``, but without a check.

        They are in the signature's order, and have the dtypes and shapes of those that were
        settled. Raises TfaasError, as what it gives may.
        """
        version, rows = settled.version, settled.rows
        if visit is not None:
            visit.rows = rows
        running = self._engine.run(version, inputs, rows, settled.whole, visit)
        if visit is not None and visit.steps is not None:
            running = followed(running, visit)
        return running if timeout_s is None else in_time(version, timeout_s, running)

    def _running(self, asked: InferenceRequest) -> Awaitable[list[Array]]:
        """The run, begun; its inputs are checked before."""
        version, bound, visit = asked.version, asked.bound, asked.visit
        signature = version.signature
        inputs = fitted(signature, bound, self._max_rows, self._engine.takes_levels)
        if visit is not None:
            visit.rows = bound.rows
        whole = runs_whole(signature, bound)
        if bound.any_shape:
            return self._engine.run(version, inputs, bound.rows, whole, visit, any_shape=True)
        return self._engine.run(version, inputs, bound.rows, whole, visit)

    def _goes_to(self, name: str | None, visit: Visit) -> tuple[str, Awaitable[None] | None]:
        """The model's name; the guards let the request go there once the other was awaited, if it
        is there."""
        # The default model may be another one once they have answered.
        name = self._catalog.name(name)
        # Who may not go there does not learn whether there is such a model.
        return name, visit.goes_to(name) if name else None

    async def _run_anew(
        self,
        codec: Codec[Any],
        document: Document,
        asked: Target | Document,
        name: str | None,
        gone: ModelVersion,
        visit: Visit | None,
    ) -> tuple[ModelVersion, Bound, list[Array]]:
        """Binds for the version that answers now, since ``gone`` is gone, and runs that."""
        tries_left = _MOST_BINDS
        while True:
            await self._catalog.refresh(gone.name)
            self._engine.looked_up(gone.name)
            version = self._current(name, asked, visit)
            version, bound = await self._bound_in_thread(codec, document, asked, version, visit)
            again = InferenceRequest(version, bound, None, None, "", visit)
            try:
                return version, bound, await self._running(again)
            except UnknownVersion:
                tries_left -= 1
                if not tries_left:
                    raise

    def _read_early(
        self, target: Target | None, visit: Visit | None, codec: Codec[Any], body: bytes, head: Head
    ) -> Awaitable[EarlyBinding]:
        # Who may have to wait for guards goes to no model before.
        look_up = partial(self._looked_up, target) if visit is None or not visit.gate else None
        return self.in_thread(read_early, codec, body, head, look_up, kind=codec.name)

    async def _bound_in_thread(
        self,
        codec: Codec[Any],
        document: Document,
        asked: Target | Document,
        version: ModelVersion,
        visit: Visit | None,
        early: EarlyBinding | None = None,
    ) -> tuple[ModelVersion, Bound]:
        """Binds, unless that was done; if the live version changed meanwhile, binds again."""
        for binds_left in reversed(range(_MOST_BINDS)):
            found = None if early is None else early.bound_for(version)
            binding = codec.bind, document, version
            bound = found if found else await self.in_thread(*binding, kind=codec.name)
            current = self._current(version.name, asked)
            if current.key == version.key or not binds_left:
                break
            version = current
        if visit is not None:
            visit.version = version.version
        return version, bound

    def in_thread(self, work: Callable[..., T], *arguments: Any, kind: str = "") -> Awaitable[T]:
        """``work(*arguments)``, done in one of the threads that read and write large bodies.

        Each ``kind``, the name of a codec or a protocol, has threads of its own.
        """
        return self._threads.run(kind, work, *arguments)

    def close(self) -> None:
        """Gives its threads back."""
        self._threads.close()
