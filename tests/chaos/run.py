"""A run: one server under load, one fault after another, and what was seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import psutil

from tests.chaos.checks import all_have_learned, leftovers, stored_is_whole, wrong_in_the_end
from tests.chaos.clients import Changing, Client, Factors, Predicting, until_done
from tests.chaos.fault import AWAY_LIMIT_S, Fault, Lift, nothing
from tests.chaos.ledger import ModelLedger
from tests.chaos.recorder import MARGIN_S, Recorder
from tests.chaos.report import Struck, Told
from tests.chaos.schedule import Step, faults_of
from tests.chaos.target import STORAGES, Target, described, shared_memory
from tfaas_core.testing.waiting import until

STEADY, MOVING, COMING = "steady", "moving", "coming"
"""Models that nobody changes, that gets new versions, and that is deleted, too."""

_PREDICTING = 4
_WHOLE_WITHIN_S = 30.0
_SETTLED_WITHIN_S = 30.0
_LEARNED_WITHIN_S = 30.0


class Run:
    """Of a prepared target. ``limits``: whether recovery that takes too long is a breach.

    ``say`` gets a line about each step and breach. ``pace``: by it, times of faults, and between
    them, are multiplied.
    """

    def __init__(
        self,
        target: Target,
        seed: int,
        limits: bool = True,
        say: Callable[[str], None] = print,
        pace: float = 1.0,
    ) -> None:
        self._pace = pace
        self.target = target
        self.recorder = Recorder()
        self.told = Told(target.storage)
        self._seed = f"{seed} {STORAGES.index(target.storage)}"
        self._limits = limits
        self._say = say
        self.ledgers = {name: ModelLedger(name) for name in (STEADY, MOVING, COMING)}
        self._factors = Factors()
        self._clients: list[Client] = []

    def play(self, steps: Iterable[Step], seconds: float = math.inf) -> Told:
        """Has all steps strike that begin within so many seconds; returns what was seen."""
        in_memory = shared_memory()
        self.target.start()
        with self._load():
            until_s = time.monotonic() + seconds
            for step in steps:
                if time.monotonic() > until_s:
                    break
                self._step(step)
            for client in self._clients:
                client.pause()
            self._check_orphans()
            self._breach(stored_is_whole(self.target, self.ledgers.values()))
        self._end(in_memory)
        recorder = self.recorder
        self.told.take(recorder, recorder.unexcused())
        return self.told

    def _end(self, in_memory: set[str]) -> None:
        """Ends the server, and has the next one show what is stored, and clean up."""
        for again in (False, True):
            if code := self.target.stop():
                self._breach([f"SIGTERM ended the server with {code}"])
            self._check_family_is_gone()
            if not again:
                self.target.start()
                self._breach(stored_is_whole(self.target, self.ledgers.values()))
        self.told.orphans += leftovers(self.target, in_memory)
        self._breach(wrong_in_the_end(self.target))

    def _check_family_is_gone(self) -> None:
        with suppress(AssertionError):
            until(lambda: not self.target.family(), _SETTLED_WITHIN_S)
        left = [described(process) for process in self.target.family()]
        self.told.orphans += [f"{process} outlived the server" for process in left]

    # The load.

    @contextmanager
    def _load(self) -> Iterator[None]:
        changing = [self._changing(name) for name in self.ledgers]
        for one in changing:
            outcome = until_done(one.upload, _WHOLE_WITHIN_S)
            assert outcome == "200", f"the first upload was {outcome}"
        predicting = [self._predicting(number) for number in range(_PREDICTING)]
        self._clients = [*changing[1:], *predicting]
        for client in self._clients:
            client.start()
        try:
            yield
        finally:
            for client in self._clients:
                client.end()

    def _changing(self, name: str) -> Changing:
        client = Changing(name, f"{self._seed} {name}", self.recorder, self.target.caller())
        client.ledger, client.factors = self.ledgers[name], self._factors
        client.deletes = name == COMING
        return client

    def _predicting(self, number: int) -> Predicting:
        caller = self.target.caller(lasting=True)
        client = Predicting(f"predicting {number}", f"{self._seed} {number}", self.recorder, caller)
        client.ledgers = self.ledgers
        return client

    # One step.

    def _step(self, step: Step) -> None:
        time.sleep(step.pause_s * self._pace)
        faults = faults_of(step)
        struck = Struck(" + ".join(step.faults), step)
        self.told.struck.append(struck)
        self._say(f"{self.target.storage}: {struck.name}")
        allowed = frozenset[str]().union(*(fault.allowed for fault in faults))
        window = self.recorder.open(struck.name, allowed, time.monotonic())
        holds = any(fault.keeps_from_learning for fault in faults)
        if holds:
            for ledger in self.ledgers.values():
                ledger.hold()
        since_s = time.monotonic()
        try:
            since_s = self._strike(faults, step)
            struck.recovery_s = self._recover(since_s)
            until(self.target.is_whole, _WHOLE_WITHIN_S, "all processes are there again")
            struck.whole_s = time.monotonic() - since_s
            self._check_orphans()
        except AssertionError as error:
            self._breach([f"{struck.name}: {error}"])
        if holds:
            self._let_go()
        window.end_s = time.monotonic()
        if holds:
            # Each worker sees for itself that the storage is back; which one answers, none tells.
            window.end_s = max(window.end_s, since_s + AWAY_LIMIT_S)
        time.sleep(MARGIN_S)
        struck.failed = dict(self.recorder.failed_during(window))
        limit_s = max(fault.limit_s or 0.0 for fault in faults)
        if self._limits and limit_s and struck.recovery_s > limit_s:
            self._breach([f"{struck.name}: recovered after {struck.recovery_s:.1f} s"])

    def _strike(self, faults: Sequence[Fault], step: Step) -> float:
        """Has the faults begin and end; returns the moment from which recovery counts."""
        begin_s = time.monotonic()
        lasts_s = max(fault.lasts_s for fault in faults) * self._pace
        with ExitStack() as lifting:  # also if something goes wrong, or on Ctrl-C
            for fault, pick in zip(faults, step.picks, strict=True):
                lifting.callback(_struck(fault, pick, self.target))
            self._breach(wrong for fault in faults if (wrong := fault.during(self.target)))
            time.sleep(max(0.0, begin_s + lasts_s - time.monotonic()) if lasts_s else 0.0)
            return time.monotonic() if lasts_s else begin_s

    def _let_go(self) -> None:
        """Once all workers have learned of what they could not."""
        changing = [client for client in self._clients if isinstance(client, Changing)]
        for client in changing:
            client.pause()
        ledgers = self.ledgers.values()
        try:
            until(lambda: all_have_learned(self.target, ledgers), _LEARNED_WITHIN_S)
        except AssertionError:
            self._breach([f"after {_LEARNED_WITHIN_S:g} s, not all workers know of all changes"])
        for ledger in ledgers:
            ledger.let_go()
        for client in changing:
            client.go_on()

    def _recover(self, since_s: float) -> float:
        """After how many seconds each model that stays answered a new connection."""
        names = [STEADY, MOVING]
        with ThreadPoolExecutor(len(names)) as pool:
            return max(pool.map(self._until_answered, names)) - since_s

    def _until_answered(self, name: str) -> float:
        end_s = time.monotonic() + _WHOLE_WITHIN_S
        while True:
            answer = self.target.caller().predict(name, [1, 2, 3])
            self.recorder.count(
                "probe", answer.outcome, answer.begin_s, answer.end_s, repr(answer.body[:200])
            )
            if answer.outcome == "200":
                return answer.end_s
            assert time.monotonic() < end_s, f"{name} does not answer: {answer.outcome}"
            time.sleep(0.01)

    def _check_orphans(self) -> None:
        found: list[str] = []

        def none_is_left() -> bool:
            found[:] = self.target.orphans()
            return not found

        try:
            until(none_is_left, _SETTLED_WITHIN_S)
        except AssertionError:
            self.told.orphans += found

    def _breach(self, what: Iterable[str]) -> None:
        for one in what:
            self._say(f"BREACH: {one}")
            self.recorder.note(self.recorder.breaches, one)


def _struck(fault: Fault, pick: float, target: Target) -> Lift:
    try:
        return fault.strike(target, pick)
    except psutil.NoSuchProcess:  # the other fault was quicker
        return nothing
