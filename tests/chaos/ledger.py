"""The ledger: what the server has acknowledged of each model, and what may be or not."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

import msgspec

KEPT = 3
"""``models.keep_versions`` of the server: newer versions push out older ones."""


class State(msgspec.Struct, frozen=True):
    """A model as it may be stored: a factor stands for the version that multiplies by it.

    ``factors``: of the versions that have to be there, the oldest first; there may be older ones.
    ``live``: of the live one, or 0 if there is no such model.
    """

    factors: tuple[int, ...] = ()
    live: int = 0

    def with_upload(self, factor: int) -> State:
        """After an upload, which goes live and pushes out the oldest."""
        return State((*self.factors, factor)[-KEPT:], factor)

    def with_live(self, factor: int) -> State:
        """After a roll-back. None of a model that has no such version."""
        return State(self.factors, factor) if factor in self.factors else self

    def without(self, factor: int) -> State:
        """After a version was deleted."""
        return State(tuple(one for one in self.factors if one != factor), self.live)


class _Span(msgspec.Struct):
    """When the version of a factor may have been live."""

    factor: int
    begin_s: float
    end_s: float = math.inf


class ModelLedger:
    """Of one model, which one client changes while others ask it.

    All times are of ``time.monotonic``. Methods that take what the server says return what is
    wrong with it, as a sentence; an empty one if nothing is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._mutex = threading.Lock()
        self._possible = {State()}
        self._before = {State()}
        self._spans = [_Span(0, 0.0)]
        self._numbers: dict[int, int] = {}
        self._checksums: dict[str, int] = {}
        self._gone: set[int] = set()
        self._held: list[_Span] | None = None

    # What its only writer does.

    def begin(self, change: Callable[[State], State]) -> None:
        """A change is on its way: from now on, it may have been made."""
        with self._mutex:
            self._before = set(self._possible)
            self._become(self._possible | set(map(change, self._possible)))

    def uploading(self, factor: int, artifact: bytes) -> None:
        """As ``begin``, of an upload."""
        self._checksums[f"sha256:{sha256(artifact).hexdigest()}"] = factor
        self.begin(lambda state: state.with_upload(factor))

    def acknowledged(self, change: Callable[[State], State]) -> None:
        """It was made."""
        with self._mutex:
            self._become(set(map(change, self._before)))

    def stored(self, factor: int, number: int) -> str:
        """An upload was acknowledged as version ``number``."""
        self.acknowledged(lambda state: state.with_upload(factor))
        with self._mutex:
            there = set.intersection(*(set(state.factors) for state in self._possible))
            highest = max((self._numbers.get(one, 0) for one in there - {factor}), default=0)
            self._numbers[factor] = number
            if number <= highest:
                return f"{self.name}: version {number} came after version {highest}"
        return ""

    def deleted(self, factor: int = 0) -> None:
        """Of a version, or of the whole model: acknowledged."""
        with self._mutex:
            before = self._before
            ever = set(self._checksums.values())
            self._gone |= {factor} if factor else ever
            self._become({state.without(factor) if factor else State() for state in before})

    def refused(self) -> None:
        """It was not made."""
        with self._mutex:
            self._become(set(self._before))

    def listed(self, versions: Iterable[Mapping[str, object]]) -> str:
        """What the server lists right after a change that it has acknowledged."""
        with self._mutex:
            if self._held is not None:
                return ""
            found, live = [], 0
            for version in versions:
                factor = self._checksums.get(str(version["checksum"]), 0)
                found.append(factor)
                live = factor if version["live"] else live
                number = int(str(version["version"]))
                if self._numbers.setdefault(factor, number) != number:
                    return f"{self.name}/{number}: was version {self._numbers[factor]} before"
            if 0 in found or self._gone & set(found):
                return f"{self.name}: lists a version that was deleted, or never there: {found}"
            fitting = {state for state in self._possible if _fits(state, found, live)}
            if not fitting:
                return f"{self.name}: lists {found}, {live} live, and not one of {self._possible}"
            # What nobody knew whether it was stored is there: states without it are not true.
            likely = {state for state in fitting if not self._knows_more(state, found)}
            self._become(likely or fitting)
        return ""

    def agrees(self, versions: Iterable[Mapping[str, object]]) -> bool:
        """Whether the model may be what the server lists."""
        with self._mutex:
            live, found = 0, []
            for version in versions:
                found.append(self._checksums.get(str(version["checksum"]), 0))
                live = found[-1] if version["live"] else live
            known = 0 not in found and not self._gone & set(found)
            return known and any(_fits(state, found, live) for state in self._possible)

    def _knows_more(self, state: State, found: list[int]) -> bool:
        ever = {factor for one in self._possible for factor in one.factors}
        oldest = state.factors[:1] or (0,)
        return any(one in ever and one > oldest[0] and one not in state.factors for one in found)

    # What others see.

    def answered(self, factor: int, number: int, since_s: float) -> str:
        """The live version answered a request of ``since_s``; it multiplied by ``factor``."""
        with self._mutex:
            if factor not in self._checksums.values():
                return f"{self.name}/{number}: multiplied by {factor}, which no upload did"
            if self._numbers.setdefault(factor, number) != number:
                right = self._numbers[factor]
                return f"{self.name}: version {right} answers as version {number}"
            live = self._live(since_s)
            if factor in live:
                return ""
            return f"{self.name}/{number}: answers by {factor}, but live is {sorted(live)}"

    def missed(self, since_s: float) -> str:
        """A request of ``since_s`` was told that there is no such model."""
        with self._mutex:
            return "" if 0 in self._live(since_s) else f"{self.name}: acknowledged, and a 404"

    def surely(self) -> dict[int, int]:
        """The numbers of versions that have to be there, by factor."""
        with self._mutex:
            there = set.intersection(*(set(state.factors) for state in self._possible))
            return {factor: self._numbers[factor] for factor in there if factor in self._numbers}

    def live(self) -> set[int]:
        """The factors that may be live now; 0 stands for no model."""
        with self._mutex:
            return {state.live for state in self._possible}

    def hold(self) -> None:
        """Until ``let_go``, workers may not be able to learn of changes, and answer as before."""
        with self._mutex:
            self._held = []

    def let_go(self) -> None:
        """They have learned of all by now."""
        with self._mutex:
            for span in self._held or ():
                span.end_s = time.monotonic()
            self._held = None

    def _live(self, since_s: float) -> set[int]:
        return {span.factor for span in self._spans if span.end_s >= since_s}

    def _become(self, possible: set[State]) -> None:
        now_s = time.monotonic()
        live = {state.live for state in possible}
        open_spans = [span for span in self._spans if span.end_s == math.inf]
        for span in open_spans:
            if span.factor in live:
                if self._held and span in self._held:
                    self._held.remove(span)
            elif self._held is None:
                span.end_s = now_s
            elif span not in self._held:
                self._held.append(span)
        opened = {span.factor for span in open_spans if span.end_s == math.inf}
        self._spans += [_Span(factor, now_s) for factor in live - opened]
        self._spans = [span for span in self._spans if span.end_s > now_s - 120]
        self._possible = possible


def _fits(state: State, found: list[int], live: int) -> bool:
    return state.live == live and set(state.factors) <= set(found)
