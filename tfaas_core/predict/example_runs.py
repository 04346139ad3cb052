"""Example runs: what the examples that a version carries show of it, before requests go there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeAlias

import msgspec

from tfaas_core.codec import Codec, Document
from tfaas_core.engine.base import Candidate, Engine, Loaded
from tfaas_core.errors import CannotServe, TfaasError, Unavailable
from tfaas_core.models.examples import Example, examples_to_run
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.predict.mismatch import mismatch
from tfaas_core.predict.predictor import fitted
from tfaas_core.route import Head
from tfaas_core.routing.unexpected import is_given_up
from tfaas_core.tensors import (
    Array,
    BatchAxis,
    Bound,
    Signature,
    TensorSpec,
    by_name,
    runs_whole,
)

CODEC = "json"
"""The codec whose documents and answers examples are."""

_CHECKING_S = 60.0
"""For all examples of an upload, which holds its name meanwhile, and its client waits."""

_WARMING_S = 10.0
"""Examples that take longer altogether are not worth waiting for: an old version is live still."""

EngineRun: TypeAlias = Callable[[ModelVersion, Sequence[Array], int, bool], Awaitable[list[Array]]]
"""An engine's run: the version, its inputs, how many rows they hold, whether they are whole."""

_log = logging.getLogger("tfaas.warmup")


class _Asked(msgspec.Struct, frozen=True):
    """An example, as a model takes it; ``version`` has the signature that it asks for."""

    version: ModelVersion
    document: Document
    bound: Bound
    inputs: list[Array]


class ExampleRuns:
    """Runs examples through the codec ``json`` and the engine, as requests would run."""

    def __init__(self, engine: Engine, codecs: Mapping[str, Codec[Any]], max_rows: int) -> None:
        """``max_rows`` are the most that one request may have."""
        self._engine = engine
        self._codec = codecs.get(CODEC)
        self._max_rows = max_rows

    async def prepared_again(
        self, loaded: Loaded, candidate: Candidate, params: Params, examples: Sequence[Example]
    ) -> Loaded:
        """``loaded``, or another one if ``examples`` show another batch axis than it found.

        That is ``candidate``, whose ``params`` these are. Raises what ``Engine.prepare`` raises.
        """
        is_given = params.batch.axis is not None
        if is_given or not any(_are_apart(example, loaded.signature) for example in examples):
            return loaded
        self._engine.discard(loaded.ticket)
        return await self._engine.prepare(msgspec.structs.replace(candidate, batch=BatchAxis.NONE))

    async def check(self, ticket: int, version: ModelVersion, examples: Sequence[Example]) -> None:
        """Runs ``examples`` on a prepared upload, and compares the outputs that they carry.

        ``version`` is the record that it may be stored with. Raises CannotServe for the first
        example that cannot be run, has other outputs or takes too long, and if the codec is
        disabled; Unavailable if the server is stopping.
        """
        end_s = asyncio.get_running_loop().time() + _CHECKING_S
        for example in examples:
            run = partial(self._engine.run_prepared, ticket)
            with _blamed(example):
                try:
                    async with asyncio.timeout_at(end_s):
                        asked, answer = await self._answer(example, version, run)
                except TimeoutError:
                    raise CannotServe(
                        f"the examples took longer than {_CHECKING_S:g} s in total"
                    ) from None
                await asyncio.to_thread(_compare, example, asked.version, answer)

    async def ready(self, version: ModelVersion) -> None:
        """Has a stored version loaded, and if it was not, runs its examples, too.

        What they answer is of no interest any more: a failure is logged. Raises what
        ``Engine.ready`` raises.
        """
        if not await self._engine.ready(version):
            return
        try:
            async with asyncio.timeout(_WARMING_S):
                await self._run_all(version)
        except TimeoutError:
            _log.warning("the examples of %s take too long to warm up", version.reference)
        except BaseException as error:  # a plugin's, which must not keep a version from going live
            if is_given_up(error):
                raise
            _log.exception("the examples of %s are not run", version.reference)

    async def _run_all(self, version: ModelVersion) -> None:
        failures = []
        try:
            for example in examples_to_run(version):
                failure = await self._failure_of(example, version)
                failures += [] if failure is None else [failure]
        except TfaasError as error:
            reference, why = version.reference, error.message
            _log.warning("the examples of %s are not run: %s", reference, why)
        else:
            if failures:
                reference, why = version.reference, failures[0].message
                _log.warning("some examples of %s could not be run: %s", reference, why)

    async def _failure_of(self, example: Example, version: ModelVersion) -> TfaasError | None:
        """Runs an example; raises Unavailable if it is of no use to go on with others."""
        try:
            with _blamed(example):
                await self._answer(example, version, self._engine.run)
        except CannotServe as error:
            return error
        return None

    async def _answer(
        self, example: Example, version: ModelVersion, run: EngineRun
    ) -> tuple[_Asked, Any]:
        """What is asked of the model, and the JSON that a client would get, read."""
        codec = self._codec
        if codec is None:
            raise CannotServe(
                f"the codec {CODEC!r}, which reads it, is disabled; leave the examples out, or "
                "enable it"
            )
        asked = await asyncio.to_thread(_asked, codec, example, version, self._max_rows)
        whole = runs_whole(asked.version.signature, asked.bound)
        outputs = await run(asked.version, asked.inputs, asked.bound.rows, whole)
        return asked, await asyncio.to_thread(_read, codec, asked, outputs)


def _are_apart(example: Example, signature: Signature) -> bool:
    """Whether the inputs are batches of different sizes, so that their rows do not belong together.

    If they are nested one less deep, they are rows, and their lengths tell nothing.
    """
    inputs = example.document.get("inputs")
    if signature.batch is not BatchAxis.FREE or not isinstance(inputs, dict):
        return False
    specs = {spec.name.removesuffix(":0"): spec for spec in signature.inputs}
    sizes = {
        len(values)
        for name, values in inputs.items()
        if (spec := specs.get(str(name).removesuffix(":0"))) and _is_batch(values, spec)
    }
    return len(sizes) > 1


def _is_batch(values: Any, spec: TensorSpec) -> bool:
    if spec.shape is None or not isinstance(values, list):
        return False
    depth = 0
    while isinstance(values, list) and depth <= len(spec.shape):
        depth += 1
        values = values[0] if values else None
    return depth == len(spec.shape)


def inputs_of_examples(
    codecs: Mapping[str, Codec[Any]], version: ModelVersion, max_rows: int
) -> list[list[Array]]:
    """The inputs of those examples of a stored version that ask for its chosen signature.

    Those that do not fit any more are left out. Blocks.
    """
    codec, found = codecs.get(CODEC), []
    if codec is None:
        return []
    with suppress(TfaasError):
        for example in examples_to_run(version):
            with suppress(TfaasError):
                asked = _asked(codec, example, version, max_rows)
                found += [asked.inputs] if asked.version is version.chosen else []
    return found


def _asked(codec: Codec[Any], example: Example, version: ModelVersion, max_rows: int) -> _Asked:
    body = msgspec.json.encode(example.document)
    document = codec.parse(body, Head.of_type(codec.media_types[0]))
    version = version.signed(document.signature)
    bound = codec.bind(document, version)
    return _Asked(version, document, bound, fitted(version.signature, bound, max_rows))


def _read(codec: Codec[Any], asked: _Asked, outputs: Sequence[Array]) -> Any:
    version = asked.version
    named = by_name(version.signature, outputs)
    return msgspec.json.decode(codec.encode(named, asked.bound, asked.document, version).whole())


def _compare(example: Example, version: ModelVersion, answer: Any) -> None:
    if example.outputs is None:
        return
    names = [spec.name for spec in version.signature.outputs]
    found = mismatch(example.outputs, answer, names, example.tolerance)
    if found is not None:
        within = f" (tolerance {example.tolerance:g})" if found.index else ""
        raise CannotServe(
            f"the model does not reproduce it: {found}{within}",
            output=found.output,
            index=list(found.index),
            expected=found.expected,
            got=found.got,
        )


@contextmanager
def _blamed(example: Example) -> Iterator[None]:
    """Makes an error inside the block one of the example, whose name it begins with.

    But not Unavailable, of which the example is innocent.
    """
    try:
        yield
    except Unavailable:
        raise
    except TfaasError as error:
        details = {name: value for name, value in error.details.items() if name != "field"}
        where, told = example.where, error.for_clients
        message, for_clients = f"{where}: {error.message}", told and f"{where}: {told}"
        raise CannotServe(message, for_clients, field=where, **details) from error
