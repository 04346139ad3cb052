"""The load: clients that predict all the time, and clients that change models."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping

from tests.chaos.asking import Answer, Caller
from tests.chaos.ledger import ModelLedger, State
from tests.chaos.recorder import Recorder

_PREDICT_PAUSE_S = 0.004
_WRITE_PAUSE_S = (0.05, 0.25)
_LARGE_BYTES = 5_000_000
"""Of some artifacts: more than one transaction of a database takes."""

_NOT_DONE = {"409", "413", "422", "507", "refused"}
"""What leaves all as it was."""


class Factors:
    """Numbers that stand for versions, each given once."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._last = 1

    def next(self) -> int:
        """Another one."""
        with self._mutex:
            self._last += 1
            return self._last


def artifact_of(factor: int, size_bytes: int = 0) -> bytes:
    """A model of the fake runtime that multiplies by ``factor``, with spaces up to a size."""
    return b"times %d" % factor + b" " * size_bytes


def factor_in(answer: Answer, row: list[int]) -> int:
    """What the row was multiplied by; -1 if it is no whole number, or there is not one value."""
    values = answer.json()
    if not (isinstance(values, list) and len(values) == 1 and isinstance(values[0], float)):
        return -1
    factor = values[0] / sum(row)
    return int(factor) if factor.is_integer() else -1


class Client:
    """A thread that does one thing after another until it ends; pauses while it is told to."""

    def __init__(self, name: str, seed: str, recorder: Recorder, caller: Caller) -> None:
        self.random = random.Random(seed)
        self.recorder = recorder
        self.caller = caller
        self._ending = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()
        self._resting = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def pause(self) -> None:
        """Returns once it has nothing on its way."""
        self._resting.clear()
        self._may_go_on.clear()
        if not self._ending.is_set():
            self._resting.wait()

    def go_on(self) -> None:
        """After a pause."""
        self._may_go_on.set()

    def end(self) -> None:
        """Returns once it has ended."""
        self._ending.set()
        self._may_go_on.set()
        self._thread.join()
        self.caller.close()

    def step(self) -> float:
        """One thing; returns for how long to pause then, in seconds."""
        raise NotImplementedError

    def _work(self) -> None:
        try:
            while not self._ending.is_set():
                if not self._may_go_on.is_set():
                    self._resting.set()
                    self._may_go_on.wait()
                    continue
                self._ending.wait(self.step())
        except BaseException as error:
            self.recorder.note(self.recorder.breaches, f"a client of chaos failed: {error!r}")
            raise
        finally:
            self._ending.set()
            self._resting.set()


class Predicting(Client):
    """Asks all models, mostly the live version, and checks each answer."""

    ledgers: Mapping[str, ModelLedger]

    def step(self) -> float:
        ledger = self.random.choice(list(self.ledgers.values()))
        row = [self.random.randint(1, 9) for _ in range(3)]
        if self.random.random() < 0.15:
            self._ask_version(ledger, row)
        else:
            self._ask_live(ledger, row)
        return _PREDICT_PAUSE_S

    def _ask_live(self, ledger: ModelLedger, row: list[int]) -> None:
        answer = self.caller.predict(ledger.name, row)
        recorder = self.recorder
        if answer.outcome == "404":
            if missed := ledger.missed(answer.begin_s):
                recorder.note(recorder.lost, f"{missed} {_told(answer)}")
            return
        recorder.count("prediction", answer.outcome, answer.begin_s, answer.end_s, _told(answer))
        if answer.outcome == "200":
            name, _, number = answer.headers.get("tfaas-model", "").partition("/")
            if name != ledger.name or not number.isdigit():
                recorder.note(recorder.wrong, f"{ledger.name}: TFaaS-Model is {name}/{number}")
                return
            wrong = ledger.answered(factor_in(answer, row), int(number), answer.begin_s)
            recorder.note(recorder.wrong, wrong)

    def _ask_version(self, ledger: ModelLedger, row: list[int]) -> None:
        before = ledger.surely()
        if not before:
            return
        factor, number = self.random.choice(sorted(before.items()))
        path = f"/models/{ledger.name}/versions/{number}/predict/json"
        answer = self.caller.predict("", row, path)
        recorder = self.recorder
        if answer.outcome == "404":
            if factor in ledger.surely():
                recorder.note(recorder.lost, f"{ledger.name}/{number}: acknowledged, and a 404")
            return
        recorder.count("prediction", answer.outcome, answer.begin_s, answer.end_s, _told(answer))
        is_right = answer.outcome != "200" or factor_in(answer, row) == factor
        # After a deletion, numbers begin anew.
        if not is_right and factor in ledger.surely():
            got = answer.body[:40]
            recorder.note(recorder.wrong, f"{ledger.name}/{number}: {got!r} of {row}, {factor}")


class Changing(Client):
    """Changes one model, and nobody else does: uploads, and what ``further`` chooses from."""

    ledger: ModelLedger
    factors: Factors
    deletes: bool

    def step(self) -> float:
        chance = self.random.random()
        state = self._some_state()
        if state.live == 0 or chance < 0.55:
            self.upload()
        elif not self.deletes or chance < 0.7:
            self._roll_back(state)
        elif chance < 0.85:
            self._delete_version(state)
        else:
            self._delete()
        return self.random.uniform(*_WRITE_PAUSE_S)

    def _some_state(self) -> State:
        """As the model may be: all of it is known if nothing is in doubt."""
        there = self.ledger.surely()
        live = min(self.ledger.live())
        return State(tuple(sorted(there)), live if live in there else 0)

    def upload(self) -> str:
        """One more version; returns the outcome."""
        factor = self.factors.next()
        size_bytes = _LARGE_BYTES if self.random.random() < 0.1 else 0
        artifact = artifact_of(factor, size_bytes + self.random.randrange(100))
        self.ledger.uploading(factor, artifact)
        answer = self.caller.upload(self.ledger.name, artifact)
        self._settle("upload", answer, lambda: self.ledger.stored(factor, answer.json()["version"]))
        return answer.outcome

    def _roll_back(self, state: State) -> None:
        others = [factor for factor in state.factors if factor != state.live]
        if not others:
            return
        factor = self.random.choice(others)
        number = self.ledger.surely()[factor]
        self.ledger.begin(lambda state: state.with_live(factor))
        path = f"/models/{self.ledger.name}/rollback"
        answer = self.caller.ask("POST", path, b'{"version": %d}' % number)

        def done() -> str:
            self.ledger.acknowledged(lambda state: state.with_live(factor))
            return ""

        self._settle("roll-back", answer, done)

    def _delete_version(self, state: State) -> None:
        others = sorted(set(state.factors) - self.ledger.live())
        if not others:
            return
        factor = self.random.choice(others)
        number = self.ledger.surely()[factor]
        self.ledger.begin(lambda state: state.without(factor))
        answer = self.caller.ask("DELETE", f"/models/{self.ledger.name}/versions/{number}")

        def done() -> str:
            self.ledger.deleted(factor)
            return ""

        self._settle("deletion", answer, done)

    def _delete(self) -> None:
        self.ledger.begin(lambda state: State())
        answer = self.caller.ask("DELETE", f"/delete/{self.ledger.name}")

        def done() -> str:
            self.ledger.deleted()
            return ""

        self._settle("deletion", answer, done)

    def _settle(self, what: str, answer: Answer, done: Callable[[], str]) -> None:
        recorder = self.recorder
        recorder.count(what, answer.outcome, answer.begin_s, answer.end_s, _told(answer))
        if answer.outcome == "200":
            recorder.note(recorder.lost, done())
            self._compare_list()
        elif answer.outcome == "404":
            recorder.note(recorder.lost, f"{self.ledger.name}: a {what} of what is there is a 404")
        elif answer.outcome in _NOT_DONE:
            self.ledger.refused()

    def _compare_list(self) -> None:
        answer = self.caller.ask("GET", f"/models/{self.ledger.name}/versions")
        if answer.outcome in ("200", "404"):
            versions = answer.json() if answer.outcome == "200" else []
            wrong = self.ledger.listed(versions)
            self.recorder.note(self.recorder.lost, wrong)


def _told(answer: Answer) -> str:
    took = f"after {answer.end_s - answer.begin_s:.1f} s"
    return f"{took} {answer.body[:200].decode(errors='replace')}"


def until_done(change: Callable[[], str], within_s: float) -> str:
    """Tries until the outcome is 200; returns the last one, after a while."""
    end_s = time.monotonic() + within_s
    while (outcome := change()) != "200" and time.monotonic() < end_s:
        time.sleep(0.05)
    return outcome
