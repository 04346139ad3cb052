"""Trial of an accelerator: whether it gives a servable's answers, and how fast."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np

from tfaas_core.engine.in_model_process.accelerating.accelerated import (
    AcceleratedServable,
    inner_shapes,
)
from tfaas_core.engine.in_model_process.warming.made_up import Make, made_up_inputs, ramp, zeros
from tfaas_core.engine.in_model_process.warming.trial import is_refuted
from tfaas_core.engine.shared.acceleration import Speed
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import CannotAccelerate, FastModel, Servable
from tfaas_core.tensors import Array, BatchAxis, Signature

TOLERANCE = 1e-5
"""Of the largest number of an output, and of the number itself, added. The largest is one of the
run, or of one of rows of random numbers, if that has a larger one."""

CLEARLY_FASTER = 1.3
"""How many times as fast one row has to be; the largest batch must not be slower."""

_BATCHES = (1, 3, 7, 32)
_USUAL_ROWS = 32
_QUICK_RUN_S, _SLOWEST_RUN_S = 0.05, 0.25
"""Of runs that the servable is expected to need longer for, fewer kinds of values are tried; and
none beyond 32 rows."""

_MOST_VALUES = 2**25
_OF_ALL_SIZES = ("random numbers", "numbers, one of them nan")
_ROUNDS, _ROUNDS_S = 101, 1.0
"""How often both are measured, or for how much of the processor's time if they are slow."""

_VARIES = 100 * TOLERANCE
"""Of the largest number of an output: by so much it has to vary, or else it proves nothing."""


class TrialResult(msgspec.Struct, frozen=True):
    """What a trial found out: see Acceleration."""

    most_rows: int
    checked: int
    speeds: tuple[Speed, ...]


class AccelerationTrial:
    """Compares ``fast`` with ``first``, whose rows are the signature's."""

    def __init__(self, first: Servable, fast: FastModel, signature: Signature) -> None:
        self._first = first
        self._fast = _Counted(fast)
        self._signature = signature
        self._random = np.random.default_rng(1)
        self._both = AcceleratedServable(first, may_rest=False)
        self._usual = [0.0] * len(signature.outputs)
        has_rows = signature.batch is not BatchAxis.NONE
        self._spans = [_Span(has_rows and not spec.constant) for spec in signature.outputs]
        self._checked = 0

    def found(
        self, examples: Sequence[Sequence[Array]], max_rows: int, mergeable: bool
    ) -> TrialResult:
        """Raises CannotAccelerate unless all answers are alike, and come faster.

        ``mergeable``: rows must be answered beside others as they are alone.
        """
        inner_shapes(self._signature)
        is_free = self._signature.batch is BatchAxis.FREE
        if not is_free:
            max_rows = max((spec.shape or (1,))[0] or 1 for spec in self._signature.inputs)
        self._both.take(self._fast, max_rows)
        usual = _run(self._first, self._inputs(min(_USUAL_ROWS, max_rows), self._uniform))[0]
        if usual:
            self._usual = [_largest(output) for output in usual]
            self._first.tune(self._inputs(min(2, max_rows), self._uniform))
        for inputs in examples:
            self._compare(inputs, "an example")
        largest = 0
        for rows in self._batches(max_rows):
            expected_s = self._expected_s(largest, rows) if largest else 0.0
            if expected_s > _SLOWEST_RUN_S and rows not in _BATCHES:
                break
            self._try(rows, all_kinds=rows in _BATCHES and expected_s < _QUICK_RUN_S)
            largest = rows
        self._check_variation()
        if mergeable and is_free and is_refuted(self._both.run, self._signature, 1):
            raise CannotAccelerate("it gives a row another answer beside other rows")
        most_rows = largest if is_free else max_rows
        return TrialResult(most_rows, self._checked, self._speeds(largest))

    def _batches(self, max_rows: int) -> list[int]:
        """In ascending order."""
        if self._signature.batch is not BatchAxis.FREE:
            return [1]
        specs = (*self._signature.inputs, *self._signature.outputs)
        widest = max(math.prod(size or 1 for size in (spec.shape or ())[1:]) for spec in specs)
        largest = min(max_rows, max(1, _MOST_VALUES // max(1, widest)))
        steps = [2**power for power in range(6, largest.bit_length())]
        return [rows for rows in sorted({*_BATCHES, *steps, largest}) if rows <= largest]

    def _expected_s(self, tried: int, rows: int) -> float:
        inputs = self._inputs(tried, self._uniform)
        begin_s = time.perf_counter()
        _run(self._first, inputs)
        return (time.perf_counter() - begin_s) * rows / tried

    def _try(self, rows: int, all_kinds: bool) -> None:
        for what, make in self._makes().items():
            if all_kinds or what in _OF_ALL_SIZES:
                self._compare(self._inputs(rows, make), f"{rows} rows of {what}")

    def _makes(self) -> dict[str, Make]:
        random = self._random
        made: dict[str, Make] = {"numbers from 0 to 1": ramp, "zeros": zeros}
        made["random numbers"] = self._uniform
        for scale in (1.0, 10.0):
            made[f"random numbers of about {scale:g}"] = partial(_normal, random, scale)
        for odd in (math.nan, math.inf, -math.inf, 1e30, -1e30, -1.0, 1e6):
            made[f"numbers, one of them {odd:g}"] = partial(_with_one, random, odd)
        made["1e30"] = lambda rows, count: np.full((rows, count), 1e30)
        return made

    def _uniform(self, rows: int, count: int) -> Array:
        return self._random.random((rows, count))

    def _inputs(self, rows: int, make: Make) -> list[Array]:
        with np.errstate(all="ignore"):  # an integer that is to be NaN is any other one
            return made_up_inputs(self._signature, rows, 1, make)

    def _compare(self, inputs: Sequence[Array], what: str) -> None:
        before = self._fast.answered
        expected, refused = _run(self._first, inputs)
        got, refused_too = _run(self._both, inputs)
        self._checked += 1
        if refused != refused_too:
            first = refused or "nothing"
            raise CannotAccelerate(f"of {what}, it says {refused_too or 'nothing'}, not {first}")
        specs = self._signature.outputs
        if refused:
            return
        for place, (one, other) in enumerate(zip(expected, got, strict=True)):
            if not _alike(one, other, self._usual[place]):
                raise CannotAccelerate(f"of {what}, its output {specs[place].name!r} is another")
            if self._fast.answered > before:
                self._spans[place].add(other)

    def _check_variation(self) -> None:
        if not self._fast.answered:
            raise CannotAccelerate("it answers none of the values that were tried")
        for spec, span in zip(self._signature.outputs, self._spans, strict=True):
            if not spec.constant and not span.varies:
                raise CannotAccelerate(
                    f"its output {spec.name!r} is nearly the same whatever was tried, which proves"
                    " nothing"
                )

    def _speeds(self, largest: int) -> tuple[Speed, ...]:
        speeds = tuple(Speed(rows, self._times(rows)) for rows in dict.fromkeys((1, largest)))
        if speeds[0].times < CLEARLY_FASTER or speeds[-1].times < 1:
            told = " and ".join(map(str, speeds))
            raise CannotAccelerate(f"it is {told}; it takes {CLEARLY_FASTER:g} times, and 1")
        return speeds

    def _times(self, rows: int) -> float:
        """In alternating rounds, so that what else the machine does slows down both."""
        inputs = self._inputs(rows, self._uniform)
        before = self._fast.answered
        rounds: list[tuple[float, float]] = []
        end_s = time.process_time() + _ROUNDS_S
        while len(rounds) < _ROUNDS and (len(rounds) < 3 or time.process_time() < end_s):
            run_s = _duration_s(self._both.run, inputs)
            rounds.append((_duration_s(self._first.run, inputs), run_s))
        if self._fast.answered < before + len(rounds):
            raise CannotAccelerate("it does not answer random numbers, by which it is measured")
        # The quickest of each, in which nobody else had the core: this process gives way to all.
        of_first, of_both = (min(side) for side in zip(*rounds, strict=True))
        return float(of_first / of_both)


class _Counted(FastModel):
    """Counts the answers of ``fast``."""

    def __init__(self, fast: FastModel) -> None:
        self._fast = fast
        self.answered = 0

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        outputs = self._fast.run(inputs)
        self.answered += 1
        return outputs


class _Span:
    """From where to where each number of an output goes; ``has_rows``: one for each row of it."""

    def __init__(self, has_rows: bool) -> None:
        self.varies = False
        """Whether one of them does, by more than rounding."""
        self._has_rows = has_rows
        self._least: Array | None = None
        self._most: Array | None = None

    def add(self, output: Array) -> None:
        numbers = np.abs(output) if output.dtype.kind == "c" else output
        rows = numbers.astype(np.float64) if self._has_rows else numbers[None].astype(np.float64)
        if not rows.size:
            return
        least, most = rows.min(0), rows.max(0)
        if self._least is not None and self._most is not None and self._least.shape == least.shape:
            least, most = np.minimum(least, self._least), np.maximum(most, self._most)
        self._least, self._most = least, most
        largest = np.max(np.maximum(np.abs(least), np.abs(most)))
        self.varies = self.varies or bool(np.max(most - least) > _VARIES * largest)


def _normal(random: np.random.Generator, scale: float, rows: int, count: int) -> Array:
    return random.normal(size=(rows, count)) * scale


def _with_one(random: np.random.Generator, odd: float, rows: int, count: int) -> Array:
    """Random numbers, one of each row being ``odd``."""
    values = random.random((rows, count))
    if count:
        values[np.arange(rows), random.integers(0, count, rows)] = odd
    return values


def _run(servable: Servable, inputs: Sequence[Array]) -> tuple[list[Array], str]:
    """The outputs, or the kind of error that it raises."""
    try:
        return servable.run(inputs), ""
    except TfaasError as error:
        return [], f"{type(error).__name__} ({error.message})"


def _largest(output: Array) -> float:
    """The largest finite size in it; 0 if there is none."""
    if output.dtype.kind not in "fc":
        return 0.0
    sizes = np.abs(output).astype(np.float64)
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _alike(one: Array, other: Array, usual: float) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind not in "fc":
        return bool(np.array_equal(one, other))
    wide = np.complex128 if one.dtype.kind == "c" else np.float64
    one, other = one.astype(wide), other.astype(wide)
    finite = np.isfinite(one)
    largest = max(usual, _largest(one))
    with np.errstate(invalid="ignore"):
        close = np.abs(one - other) <= TOLERANCE * largest + TOLERANCE * np.abs(one)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    return bool(np.all(np.where(finite, close, same)))


def _duration_s(run: Callable[[Sequence[Array]], object], inputs: Sequence[Array]) -> float:
    begin_s = time.perf_counter()
    run(inputs)
    return time.perf_counter() - begin_s
