"""The recorder: what requests came to, and in which fault's time; what is wrong."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection

import msgspec

MARGIN_S = 0.5
"""So long after a fault is over, requests may still meet what it has left."""

WELL = ("200",)
"""What a prediction comes to if all is well. 404 is the ledger's to judge."""


class Failure(msgspec.Struct, frozen=True):
    """A request of ``who`` that came to something else than an answer. Times: monotonic."""

    who: str
    outcome: str
    begin_s: float
    end_s: float
    told: str


class Window(msgspec.Struct):
    """The time of a fault, until all was well again, and what requests may come to meanwhile."""

    fault: str
    allowed: Collection[str]
    begin_s: float
    end_s: float = float("inf")

    def excuses(self, failure: Failure) -> bool:
        """Whether the failure may come of this fault."""
        return failure.outcome in self.allowed and self.covers(failure)

    def covers(self, failure: Failure) -> bool:
        """Whether the failure is of this fault's time."""
        return failure.end_s >= self.begin_s and failure.begin_s <= self.end_s + MARGIN_S


class Recorder:
    """Counts; may be told from any thread."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self.outcomes: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.windows: list[Window] = []
        self.wrong: list[str] = []
        self.lost: list[str] = []
        self.breaches: list[str] = []
        """Whatever else ought not to be."""

    def count(self, who: str, outcome: str, begin_s: float, end_s: float, told: str = "") -> None:
        """A request and its outcome: a status, or what became of its connection."""
        with self._mutex:
            self.outcomes[f"{who} {outcome}"] += 1
            if outcome not in WELL:
                self.failures.append(Failure(who, outcome, begin_s, end_s, told))

    def note(self, where: list[str], what: str) -> None:
        """Adds what is wrong; nothing if ``what`` is empty."""
        if what:
            with self._mutex:
                where.append(what)

    def open(self, fault: str, allowed: Collection[str], begin_s: float) -> Window:
        """A fault begins."""
        window = Window(fault, allowed, begin_s)
        with self._mutex:
            self.windows.append(window)
        return window

    def unexcused(self) -> list[str]:
        """The failures that no fault explains."""
        with self._mutex:
            failures, windows = list(self.failures), list(self.windows)
        found = []
        for failure in failures:
            near = [window for window in windows if window.covers(failure)]
            if not any(window.excuses(failure) for window in near):
                during = ", ".join(window.fault for window in near) or "no fault"
                found.append(f"{failure.who}: {failure.outcome} during {during} {failure.told}")
        return found

    def failed_during(self, window: Window) -> Counter[str]:
        """By outcome, the requests that failed in a fault's time."""
        with self._mutex:
            return Counter(f.outcome for f in self.failures if window.covers(f))
