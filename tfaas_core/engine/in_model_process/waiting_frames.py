"""WaitingFrames: which of the frames that have come are run next, together."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import accumulate, takewhile

import msgspec

from tfaas_core.engine.in_model_process.runner import Runner, too_late
from tfaas_core.engine.in_model_process.worker_connection import WorkerConnection
from tfaas_core.engine.shared.frames import RequestFrame
from tfaas_core.errors import TfaasError


class WaitingFrame(msgspec.Struct):
    """``client``: who sent it; ``runner``: of the signature that it asks for."""

    client: WorkerConnection
    frame: RequestFrame
    runner: Runner


class WaitingFrames:
    """In the order in which they came, but for those of clients that are behind with their answers.

    These are held until ``resume``, or they are too late: others have their turn, and answers do
    not pile up. ``fail`` is told of those that are not to be run any more, and why. False, if none
    is to be run now.
    """

    def __init__(self, fail: Callable[[WaitingFrame, TfaasError], None]) -> None:
        self._waiting: deque[WaitingFrame] = deque()
        self._held: dict[WorkerConnection, list[WaitingFrame]] = {}
        self._fail = fail

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, client: WorkerConnection, frame: RequestFrame, runner: Runner) -> None:
        """It has just come."""
        self._waiting.append(WaitingFrame(client, frame, runner))

    def resume(self, client: WorkerConnection) -> None:
        """The client is behind no longer, or gone."""
        if self._held and (held := self._held.pop(client, None)):
            self._waiting.extendleft(reversed(held))

    def take(self) -> list[WaitingFrame]:
        """The next batch: the oldest frame, and the ones behind it that fit into the same run.

        Of a frame of more rows than should share one run, it is the first parts.
        """
        if self._held:
            self._drop_late()
        batch: list[WaitingFrame] = []
        rows = 0
        while self._waiting:
            waiting = self._waiting[0]
            if not waiting.client.takes_more:
                self._put_aside(self._waiting.popleft())
                continue
            if waiting.frame.deadline_s < time.monotonic():
                self._fail(self._waiting.popleft(), too_late())
                continue
            if batch and not batch[0].runner.joins(batch[0].frame, waiting.frame, rows):
                break
            if waiting.runner.is_to_be_cut(waiting.frame):
                self._cut_first()
            batch.append(self._waiting.popleft())
            rows += batch[-1].frame.rows
        return batch

    def _drop_late(self) -> None:
        now_s = time.monotonic()
        for client, held in self._held.items():
            late = [waiting for waiting in held if waiting.frame.deadline_s < now_s]
            if late:
                self._held[client] = [each for each in held if each.frame.deadline_s >= now_s]
            for waiting in late:
                self._fail(waiting, too_late())

    def _put_aside(self, waiting: WaitingFrame) -> None:
        if waiting.client.is_gone:
            self._fail(waiting, too_late())
        else:
            self._held.setdefault(waiting.client, []).append(waiting)

    def _cut_first(self) -> None:
        """Has the first frame be two, if it has several parts."""
        waiting = self._waiting[0]
        frame, most = waiting.frame, waiting.runner.most_shared()
        fitting = sum(1 for _ in takewhile(most.__ge__, accumulate(frame.part_rows))) or 1
        if fitting >= len(frame.part_rows):
            return
        waiting.frame, rest = _cut(frame, fitting)
        self._waiting.insert(1, WaitingFrame(waiting.client, rest, waiting.runner))


def _cut(frame: RequestFrame, parts: int) -> tuple[RequestFrame, RequestFrame]:
    """The first so many parts of a frame, and the others."""
    rows = sum(frame.part_rows[:parts])
    first = msgspec.structs.replace(
        frame,
        part_rows=frame.part_rows[:parts],
        rows=rows,
        inputs=[array[:rows] for array in frame.inputs],
    )
    rest = msgspec.structs.replace(
        frame,
        part_rows=frame.part_rows[parts:],
        rows=frame.rows - rows,
        inputs=[array[rows:] for array in frame.inputs],
        first_part=frame.first_part + parts,
    )
    return first, rest
