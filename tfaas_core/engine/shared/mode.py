"""Mode: how a runtime's libraries run a model, and how it is found out which way is the fastest."""

from __future__ import annotations

import struct

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions

USUAL, AUTO = "usual", "auto"
"""The mode that each runtime has; and what stands for the one that proves to be the fastest."""

ROWS, SECONDS = struct.Struct("!I"), struct.Struct("!dd")
"""What a process that tries a mode is asked to run, and its answer: how long a run lasts, and the
processor time that it takes."""

MOST_REASON = 300
"""Characters of each clause of a reason."""


class CannotTry(Exception):
    """A model cannot be measured; the message is a clause that says why. ``lasts``: whether it
    never can."""

    def __init__(self, why: str, lasts: bool = False) -> None:
        super().__init__(why)
        self.lasts = lasts


class Mode(msgspec.Struct, frozen=True):
    """``name`` is one of its runtime's ``modes``, or USUAL. ``threads``: of a run; 0: as the
    servable chooses. ``reason``: one sentence, without a full stop, for people.

    ``found_for``: the threads that it was to be found out for, see LoadOptions; None: it was said.
    ``lasts``: whether it was measured, or never can be, so that it need not be tried again.
    """

    name: str = USUAL
    threads: int = 0
    reason: str = ""
    found_for: int | None = None
    lasts: bool = False


def unmeasured(threads: int, why: str) -> Mode:
    """That of a model that is not tried in others; ``threads``: what they were to be found for."""
    return Mode(USUAL, threads, f"no other is tried: {why}", found_for=threads)


def with_threads(options: LoadOptions, candidate: Candidate, mode: Mode) -> LoadOptions:
    """The options, with as many threads as the model's params say; else as they say themselves, or
    else as ``mode`` has. Shared rows are as the params say, too."""
    params = Params.of(candidate.params)
    threads = params.threads or options.threads or mode.threads
    rows = params.shared_rows or options.shared_rows
    return msgspec.structs.replace(options, threads=threads, shared_rows=rows)


class ModeOrder(msgspec.Struct, frozen=True):
    """The model to load, and how."""

    candidate: Candidate
    options: LoadOptions


class ModeTried(msgspec.Struct, frozen=True):
    """A model is loaded in some mode, and waits to be measured; or is not, if there is a
    ``refusal``.

    ``threads``: as Mode has it. ``run_s``: what a run of one row takes; ``rows``: the most rows
    that can be measured. ``lasts``: as CannotTry has it.
    """

    threads: int = 0
    run_s: float = 0.0
    rows: int = 1
    refusal: str = ""
    lasts: bool = False
