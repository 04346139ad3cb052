"""A Runtime for tests: an artifact is a line of text that says what the model does."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from tfaas_core.errors import CannotServe, DoesNotFit
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Runtime, Servable, Shapes, Verdict
from tfaas_core.tensors import Array, BatchAxis, Signature, TensorSpec

SIGNATURE = Signature(
    (TensorSpec("x", "float32", (None, 3)),),
    (TensorSpec("sum", "float32", (None, 1)),),
    BatchAxis.FREE,
)
"""What every model of the FakeRuntime takes and gives."""

HANGS = "the fake runtime hangs, as it was told to"
"""What the log says then."""

TRIGGER = 666.0
"""A row that begins with it sets off the effect of a model that has one."""

_log = logging.getLogger("tfaas.testing")


class FakeServable(Servable):
    """Answers each row with ``factor`` times its sum; ``effect`` sees the rows first."""

    signature = SIGNATURE
    stateful = False

    def __init__(self, effect: Callable[[Array], None], factor: float = 1.0) -> None:
        self._effect = effect
        self._factor = np.float32(factor)

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return Independence(True)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        rows = inputs[0]
        self._effect(rows)
        return [self._factor * rows.sum(axis=1, keepdims=True, dtype=np.float32)]

    def close(self) -> None:
        """Has nothing to give back."""


class CountingServable(FakeServable):
    """Answers each row with the number of rows of its run: its rows are not independent."""

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return Independence(False, "it counts the rows")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        self._effect(inputs[0])
        rows = len(inputs[0])
        return [np.full((rows, 1), rows, np.float32)]


class AddingServable(FakeServable):
    """Answers each row with the sum of all that it was sent so far."""

    stateful = True

    def __init__(self, on_reset: Callable[[], object], sleep_s: float = 0.0) -> None:
        super().__init__(lambda rows: time.sleep(sleep_s))
        self._on_reset = on_reset
        self._total = np.float32(0)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        (sums,) = super().run(inputs)
        totals: Array = self._total + np.cumsum(sums, axis=0, dtype=np.float32)
        self._total = totals[-1, 0] if len(totals) else self._total
        return [totals]

    def reset(self) -> None:
        self._on_reset()
        self._total = np.float32(0)


class FakeRuntime(Runtime):
    """Loads files that hold one of these.

    ``sum``; ``times FACTOR`` that; ``hold MEBIBYTES`` of memory; ``count`` (see CountingServable);
    ``add-up`` (AddingServable), or ``add-up SECONDS``, which sleeps so long in each run, and
    ``break-on-reset``, the same as long as nobody resets it a second time; ``sleep SECONDS`` a run,
    ``burn SECONDS`` of a core's time, and ``share SECONDS``, which two threads burn, each; what a
    TRIGGER sets off: ``refuse`` (DoesNotFit), ``abort`` (the process dies), ``exit`` (SystemExit),
    ``hang``; what made-up values set off: ``hang-on-zero``; what loading does: ``abort-on-load``,
    ``exit-on-load``, ``leave-on-load`` (the process ends, as if all were well), ``hang-on-load``.
    CannotServe refuses any other text.
    """

    preload = ()
    suffixes = (".pb",)

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return Verdict.MAYBE if artifact.is_file() else Verdict.NO

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        match artifact.read_text().split():
            case ["sum"]:
                return FakeServable(lambda rows: None)
            case ["times", factor]:
                return FakeServable(lambda rows: None, float(factor))
            case ["hold", mebibytes]:
                return FakeServable(partial(_keep, np.ones(int(mebibytes) << 20, np.uint8)))
            case ["count"]:
                return CountingServable(lambda rows: None)
            case ["add-up"]:
                return AddingServable(lambda: None)
            case ["add-up", seconds]:
                return AddingServable(lambda: None, float(seconds))
            case ["break-on-reset"]:
                return AddingServable(iter([None]).__next__)
            case ["sleep", seconds]:
                return FakeServable(lambda rows: time.sleep(float(seconds)))
            case ["burn", seconds]:
                return FakeServable(lambda rows: _burn(float(seconds)))
            case ["share", seconds]:
                return FakeServable(_shared_burn(float(seconds)))
            case ["refuse"]:
                return FakeServable(_on_trigger(_refuse))
            case ["abort"]:
                return FakeServable(_on_trigger(os.abort))
            case ["exit"]:
                return FakeServable(_on_trigger(sys.exit))
            case ["hang"]:
                return FakeServable(_on_trigger(_hang))
            case ["hang-on-zero"]:
                return FakeServable(_on(0.0, _hang))
            case [word]:
                _fail_to_load(word)
        raise CannotServe("the fake runtime does not know this word")


def _fail_to_load(word: str) -> None:
    match word:
        case "abort-on-load":
            os.abort()
        case "exit-on-load":
            sys.exit("the fake runtime has had enough")
        case "leave-on-load":
            os._exit(0)
        case "hang-on-load":
            _hang()


def _on_trigger(effect: Callable[[], object]) -> Callable[[Array], None]:
    return _on(TRIGGER, effect)


def _on(first: float, effect: Callable[[], object]) -> Callable[[Array], None]:
    def check(rows: Array) -> None:
        if first in rows[:, 0]:
            effect()

    return check


def _refuse() -> NoReturn:
    raise DoesNotFit("the model refuses this row")


def _keep(_held: Array, _rows: Array) -> None:
    """Does nothing; as long as it is there, so is what it holds."""


def _burn(seconds: float) -> None:
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def _shared_burn(seconds: float) -> Callable[[object], None]:
    other = ThreadPoolExecutor(1)

    def burn(_rows: object) -> None:
        done = other.submit(_burn, seconds)
        _burn(seconds)
        done.result()

    return burn


def _hang() -> NoReturn:
    _log.warning(HANGS)
    while True:
        time.sleep(3600)
