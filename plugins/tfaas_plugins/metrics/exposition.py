"""Exposition: the text that Prometheus reads, and OpenMetrics.

It is written by hand, since a library that makes an object of each sample takes a second for what a
thousand models have counted, which here are some templates and a table of numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfaas_plugins.metrics.cells import Exemplar
from tfaas_plugins.metrics.families import DURATIONS, KEPT, Family
from tfaas_plugins.metrics.series import Series

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Samples: TypeAlias = Iterable[tuple[Family, Sequence[tuple[tuple[str, ...], float]]]]
"""Of families that are no histograms: the labels and the value of each series."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class _Block(msgspec.Struct):
    """A family's series: a template of all lines, and the first cell of each."""

    template: list[str] = []
    at: list[int] = []


class Exposition:
    """Keeps what does not change between two scrapes. One at a time may use it."""

    def __init__(self) -> None:
        self._begin(0)

    def _begin(self, generation: int) -> None:
        self._generation = generation
        self._blocks: dict[Family, _Block] = {family: _Block() for family in KEPT}
        self._known = 0

    def blocks(
        self, series: Sequence[Series], generation: int = 0
    ) -> Mapping[Family, tuple[str, list[int]]]:
        """What ``text`` needs: of each family, the template of all lines, and the first cells.

        ``series`` are all that there are, those that were there before in the same order, unless
        they are of another ``generation`` of the directory.
        """
        if generation != self._generation:
            self._begin(generation)
        for each in series[self._known :]:
            block = self._blocks[each.family]
            block.template.append(_template(each.family, each.labels))
            block.at.append(each.at)
        self._known = len(series)
        return {
            family: ("".join(block.template), list(block.at))
            for family, block in self._blocks.items()
        }


def text(
    blocks: Mapping[Family, tuple[str, list[int]]],
    totals: NDArray[np.float64],
    seen: Samples,
    exemplars: Mapping[int, Exemplar] | None = None,
) -> bytes:
    """All metrics; ``totals`` are those of all cells. With ``exemplars``, as OpenMetrics."""
    is_open = exemplars is not None
    pieces: list[str] = []
    for family, (template, at) in blocks.items():
        pieces.append(_head(family, is_open))
        if at:
            values = _values(family, totals, np.array(at))
            lines = template % tuple(values)
            if exemplars and family is DURATIONS:
                lines = _exemplified(lines, at, exemplars)
            pieces.append(lines)
    for family, samples in seen:
        pieces.append(_head(family, is_open))
        pieces += (f"{family.name}{_labels(family, own)} {value:.15g}\n" for own, value in samples)
    if is_open:
        pieces.append("# EOF\n")
    return "".join(pieces).encode()


def without(models: Collection[str], said: bytes) -> bytes:
    """What ``text`` gave, less all that is told of these models."""
    lines = said.decode().splitlines(keepends=True)
    return "".join(line for line in lines if _model_of(line) not in models).encode()


def _model_of(line: str) -> str:
    # It is the first label, and a model's name has nothing to escape.
    return line.partition('{model="')[2].partition('"')[0]


def escaped(value: str) -> str:
    """As the value of a label has to be written."""
    return value.translate(_ESCAPES)


def _head(family: Family, is_open: bool) -> str:
    name = family.name.removesuffix("_total") if is_open else family.name
    kind: str = family.kind
    if is_open and name.endswith("_info"):
        name, kind = name.removesuffix("_info"), "info"
    return f"# HELP {name} {family.meaning}\n# TYPE {name} {kind}\n"


def _values(family: Family, totals: NDArray[np.float64], at: NDArray[np.int64]) -> list[float]:
    """Counts as integers, which take less time to write than floats."""
    if not family.bounds:
        plain: list[float] = totals[at].tolist()
        return [*map(int, plain)] if family.kind == "counter" else plain
    cells = totals[at[:, None] + np.arange(family.cells)]
    table = np.empty((len(at), family.cells + 1), np.int64)
    table[:, :-2] = cells[:, :-1].cumsum(axis=1)
    table[:, -2], table[:, -1] = 0, table[:, -3]
    of_table: list[Any] = table.ravel().tolist()
    of_table[family.cells - 1 :: family.cells + 1] = cells[:, -1].tolist()
    return of_table


def _template(family: Family, labels: tuple[str, ...]) -> str:
    if not family.bounds:
        number = "%d" if family.kind == "counter" else "%.15g"
        return f"{family.name}{_percent(_labels(family, labels))} {number}\n"
    pairs = [f'{key}="{escaped(value)}"' for key, value in zip(family.labels, labels, strict=True)]
    bounds = [repr(bound) for bound in family.bounds] + ["+Inf"]
    bucket, total, count = family.samples
    lines = [f"{bucket}{{{_percent(','.join([*pairs, _le(b)]))}}} %d\n" for b in bounds]
    own = _percent(_labels(family, labels))
    return "".join([*lines, f"{total}{own} %.9g\n", f"{count}{own} %d\n"])


def _le(bound: str) -> str:
    return f'le="{bound}"'


def _labels(family: Family, labels: tuple[str, ...]) -> str:
    pairs = (f'{key}="{escaped(value)}"' for key, value in zip(family.labels, labels, strict=True))
    return f"{{{','.join(pairs)}}}" if labels else ""


def _percent(part: str) -> str:
    return part.replace("%", "%%")


def _exemplified(lines: str, at: Sequence[int], exemplars: Mapping[int, Exemplar]) -> str:
    """The lines of DURATIONS, those of buckets with what is known of one of their requests."""
    told = lines.splitlines()
    per_series = DURATIONS.cells + 1
    for number, first in enumerate(at):
        for bucket in range(DURATIONS.cells - 1):
            if (exemplar := exemplars.get(first + bucket)) is not None:
                told[number * per_series + bucket] += _exemplar(exemplar)
    return "\n".join([*told, ""])


def _exemplar(exemplar: Exemplar) -> str:
    named = escaped(exemplar.request_id)
    return f' # {{request_id="{named}"}} {exemplar.value:.9g} {exemplar.time_s:.3f}'
