"""Parts: the requests of one event-loop turn, and which of them may share a frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tfaas_core.engine.beginning import Awaiting, AwaitingRows
from tfaas_core.engine.shared.frames import MAX_PARTS
from tfaas_core.engine.shared.outputs import rows_between
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Signature
from tfaas_core.visit import Timing


class Part(msgspec.Struct):
    """One request on its way.

    ``whole``: it shares no frame. ``counted``: as how many rows it is counted, one at least.
    ``place`` is that of the signature that it asks for; ``any_shape`` as in Bound. ``takes_rows``:
    ``answer`` is an AwaitingRows.
    """

    inputs: Sequence[Array]
    rows: int
    whole: bool
    answer: Awaiting | AwaitingRows
    counted: int
    timing: Timing | None
    place: int = 0
    any_shape: bool = False
    takes_rows: bool = False


class Sent(msgspec.Struct):
    """A frame that is not wholly answered yet."""

    parts: list[Part]
    deadline_s: float
    unanswered: int
    in_flight: int
    answered: set[int] = set()
    """The places of those parts that were answered apart."""

    def check_new(self, first: int, parts: int) -> None:
        """Raises ConnectionError if one of these was answered: the model owes another one then."""
        places = set(range(first, first + parts))
        if not self.answered.isdisjoint(places):
            raise ConnectionError("a model has answered a request twice")
        self.answered |= places


class Grouping:
    """Tells which requests for one signature may share a frame: those whose rows may share a run.

    ``place`` is the signature's among those of the version.
    """

    def __init__(self, signature: Signature, mergeable: bool, place: int = 0) -> None:
        self.inputs, self.outputs = signature.inputs, signature.outputs
        self._has_constants = any(spec.constant for spec in signature.outputs)
        self._place = place
        self._mergeable = mergeable
        self._by_shape = mergeable and signature.batch is BatchAxis.NONE
        self._free_sizes = any(
            spec.shape is None or None in spec.shape[1:] for spec in signature.inputs
        )
        self._has_wholes = False

    def part(
        self,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        most_rows: int,
        answer: Awaiting | AwaitingRows,
        timing: Timing | None,
    ) -> Part:
        """A request of so many rows, as the caller sees them.

        If that has no batch axis, but rows of one shape may share a run, they are counted here;
        more than ``most_rows`` are none.
        """
        if self._by_shape and not whole:
            rows, whole = _rows_in(inputs, most_rows)
        self._has_wholes = self._has_wholes or whole
        return Part(inputs, rows, whole, answer, rows or 1, timing, self._place)

    def share(self, outputs: list[Array], start: int, end: int) -> list[Array]:
        """The outputs for some of the rows of a run."""
        if self._has_constants:
            return rows_between(outputs, start, end, self.outputs)
        return [output[start:end] for output in outputs]

    def groups(self, parts: list[Part]) -> list[list[Part]]:
        """All that came of ``part`` since the last call, grouped."""
        if not self._mergeable:
            return [[part] for part in parts]
        if self._has_wholes:
            self._has_wholes = False
            wholes = [[part] for part in parts if part.whole]
            return wholes + self.groups([part for part in parts if not part.whole])
        if not self._free_sizes:
            return [parts[i : i + MAX_PARTS] for i in range(0, len(parts), MAX_PARTS)]
        groups: defaultdict[Any, list[Part]] = defaultdict(list)
        for part in parts:
            groups[tuple([array.shape[1:] for array in part.inputs])].append(part)
        return list(groups.values())


class Groupings:
    """A Grouping for each signature of a version; ``at`` has them at the signatures' places."""

    def __init__(self, version: ModelVersion) -> None:
        self.at = [
            Grouping(signed.signature, signed.mergeable, place)
            for place, signed in enumerate(version.all_signed)
        ]
        self.is_lone = len(self.at) == 1
        """Whether there is but one."""

    def groups(self, parts: list[Part]) -> list[list[Part]]:
        """All that came of any of them, grouped."""
        apart: defaultdict[int, list[Part]] = defaultdict(list)
        for part in parts:
            apart[part.place].append(part)
        return [group for place in apart for group in self.at[place].groups(apart[place])]


def refuse_all(parts: Sequence[Part], error: Callable[[], Exception]) -> None:
    """Gives each of ``parts`` that is not answered yet an error of its own."""
    for part in parts:
        if not part.answer.done():
            part.answer.set_exception(error())


def _rows_in(inputs: Sequence[Array], most: int) -> tuple[int, bool]:
    """How many rows whole tensors seem to be, and whether they are none after all."""
    sizes = {array.shape[:1] for array in inputs}
    (rows,) = sizes.pop() or (0,)
    is_none = bool(sizes) or not 0 < rows <= most
    return (1, True) if is_none else (rows, False)
