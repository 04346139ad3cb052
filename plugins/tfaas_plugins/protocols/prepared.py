"""Prepared: what a client says beside its numbers, worked out once for all that it sends.

A client says the same of its numbers, over and over: their names, datatypes and shapes, and what it
wants to have. What follows from that is kept. So of a request that differs from one before in its
numbers alone, nothing is left to do but to take these to the model, and to write its outputs into
an answer, the rest of which is the same, too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
import numpy as np

from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.inference import InferenceRequest, InferenceResult, Settled
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Array, Bound, Signature
from tfaas_plugins.protocols.served_models import size_of
from tfaas_plugins.protocols.template import Template

T = TypeVar("T")

MOST_TEXT_BYTES = 1024
"""Of what a client says beside its numbers, if that is to be kept."""

_MOST_KEPT = 1024
_MOST_BEGINS = 8
"""Of messages of the same size, the last ones; to look for each takes a while."""

Inputs: TypeAlias = Callable[[bytes], list[Array] | None]
"""The inputs in a body, in the signature's order; None: they take a closer look."""

InputsOf: TypeAlias = Callable[[Signature, Mapping[str, Array]], Inputs | None]
"""Where in a body inputs like these arrays are, all that there are; None: that is not sure."""


class Plan(msgspec.Struct, Generic[T], frozen=True):
    """What is left to do for a version. ``template`` None: its answers are all to be written.

    ``asked`` is the request, but for its inputs, and ``wanted`` what it says of its outputs.
    """

    settled: Settled
    inputs: Inputs
    asked: InferenceRequest
    wanted: Sequence[Any]
    template: Template[T] | None

    def filled(self, outputs: list[Array]) -> T | None:
        """The answer; None: it is to be written."""
        return None if self.template is None else self.template.filled(outputs)


class Prepared(Generic[T]):
    """A request but for its numbers. It has a plan for the version that has answered the last."""

    def __init__(self, target: Target, inputs_of: InputsOf) -> None:
        self.target = target
        self._inputs_of = inputs_of
        self._plan: Plan[T] | None = None

    def plan(self, version: ModelVersion) -> Plan[T] | None:
        """That for ``version``; None: there is none yet."""
        plan = self._plan
        return plan if plan is not None and plan.settled.version is version else None

    def learn(
        self,
        asked: InferenceRequest,
        wanted: Sequence[Any],
        result: InferenceResult,
        answer: T,
        template: Callable[[], Template[T] | None],
        most_bytes: int = LARGE_BODY_BYTES,
    ) -> None:
        """Makes the plan, of a request that had this answer; ``template`` is made of that.

        Answers of more than ``most_bytes`` of outputs are written in a thread, and so without one.
        """
        settled, signature = asked.settled(), asked.version.signature
        if settled is None or result.version is not asked.version or sys.byteorder != "little":
            return
        inputs = self._inputs_of(signature, asked.bound.arrays)
        if inputs is None:
            return
        found = None if size_of(result.outputs) > most_bytes else template()
        if found is not None and not found.writes(answer, result):
            found = None
        bare = Bound({}, settled.rows, single=False)
        asked = msgspec.structs.replace(asked, bound=bare, visit=None)
        self._plan = Plan(settled, inputs, asked, wanted, found)


class Kept(Generic[T]):
    """Requests that came before, each by what is the same when it comes again."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Prepared[T]] = {}
        self.of = self._kept.get

    def keep(self, key: Hashable, prepared: Prepared[T]) -> None:
        """Keeps it, unless one is kept already.

        There is room for so many; then all are forgotten, and those that come again are kept again.
        """
        if key in self._kept:
            return
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = prepared


class RawInputs:
    """Inputs whose bytes are in the body, each ``at`` its place in a body of this size."""

    def __init__(self, body_bytes: int, tensors: Sequence[tuple[Array, int]]) -> None:
        self._body_bytes = body_bytes
        self._tensors = [(array.shape, array.dtype, at) for array, at in tensors]

    def __call__(self, body: bytes) -> list[Array] | None:
        if len(body) != self._body_bytes:
            return None
        return [np.ndarray(shape, dtype, body, at) for shape, dtype, at in self._tensors]


def raw_inputs(body_bytes: int, places: Mapping[str, int]) -> InputsOf:
    """Inputs that are plain bytes, each at its place."""

    def of(signature: Signature, arrays: Mapping[str, Array]) -> Inputs | None:
        names = [spec.name for spec in signature.inputs]
        if not places.keys() >= set(names):
            return None
        return RawInputs(body_bytes, [(arrays[name], places[name]) for name in names])

    return of


class PreparedMessages:
    """Messages of gRPC whose last bytes are those of their one tensor, by what stands before.

    And by their size: a longer one that begins so has more behind its tensor, which may change what
    is asked.
    """

    def __init__(self) -> None:
        self._kept: Kept[bytes] = Kept()
        self._begins: dict[int, tuple[int, ...]] = {}

    def of(self, message: bytes) -> Prepared[bytes] | None:
        """What a message that came before says, but for its numbers; None: it did not."""
        size = len(message)
        for begin in self._begins.get(size, ()):
            if (found := self._kept.of((size, message[:begin]))) is not None:
                return found
        return None

    def keep(self, message: bytes, tensor_bytes: int, target: Target, name: str) -> None:
        """Takes note of one; its input of this name has so many bytes."""
        size = len(message)
        begin = size - tensor_bytes
        begins = self._begins.get(size, ())
        if begin not in begins:
            if len(self._begins) >= _MOST_KEPT:
                self._begins.clear()
            self._begins[size] = (begin, *begins[: _MOST_BEGINS - 1])
        self._kept.keep((size, message[:begin]), Prepared(target, raw_inputs(size, {name: begin})))
