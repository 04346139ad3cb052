"""Template: what all answers have in common whose outputs have the same shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from tfaas_core.predict.inference import InferenceResult
from tfaas_core.tensors import Array

T = TypeVar("T")

_MOST_BYTES = 1 << 12
"""A longer one takes much room, and saves little of what such an answer takes."""


class Blank(msgspec.Struct, frozen=True, gc=False):
    """What stands before an output's numbers, its place in the signature, and its shape."""

    before: bytes
    place: int
    shape: tuple[int, ...]


class Template(msgspec.Struct, Generic[T], frozen=True):
    """An answer but for the numbers of its outputs.

    ``write`` gives an output's bytes; None: they are not to be told so quickly. ``behind`` stands
    behind the last one, and ``make`` makes the answer of all together.
    """

    blanks: Sequence[Blank]
    behind: bytes
    write: Callable[[Array], bytes | None]
    make: Callable[[bytes], T]

    def filled(self, outputs: Sequence[Array]) -> T | None:
        """The answer; ``outputs`` are all of the signature's. None: they are of other shapes."""
        parts: list[bytes] = []
        for blank in self.blanks:
            array = outputs[blank.place]
            if array.shape != blank.shape:
                return None
            written = self.write(array)
            if written is None:
                return None
            parts.append(blank.before)
            parts.append(written)
        parts.append(self.behind)
        return self.make(b"".join(parts))

    def writes(self, answer: T, result: InferenceResult) -> bool:
        """Whether it is of some use, since it makes ``answer`` of its outputs."""
        size = sum(len(blank.before) for blank in self.blanks) + len(self.behind)
        names = [spec.name for spec in result.version.signature.outputs]
        outputs: list[Any] = [result.outputs.get(name) for name in names]
        return size <= _MOST_BYTES and self.filled(outputs) == answer


def blanks_of(result: InferenceResult, befores: Iterable[bytes]) -> list[Blank]:
    """For each output of ``result``, in its order, before which stands what ``befores`` gives."""
    places = {spec.name: place for place, spec in enumerate(result.version.signature.outputs)}
    told = zip(befores, result.outputs.items(), strict=True)
    return [Blank(before, places[name], array.shape) for before, (name, array) in told]
