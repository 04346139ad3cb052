"""A connection from an HTTP worker to one servable: many requests, few frames."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from tfaas_core.engine.beginning import Awaiting, AwaitingRows
from tfaas_core.engine.in_worker.answer_buffer import AnswerBuffer
from tfaas_core.engine.in_worker.outbox import Outbox
from tfaas_core.engine.in_worker.parts import Grouping, Groupings, Part, Sent, refuse_all
from tfaas_core.engine.in_worker.past_transport import receive_now
from tfaas_core.engine.in_worker.queue import refusal
from tfaas_core.engine.in_worker.unanswered import deadline_passed, model_lost
from tfaas_core.engine.scheduling.busy_poll import BusyPoll, Solo
from tfaas_core.engine.scheduling.patience import Patience
from tfaas_core.engine.shared.frames import AnswerFrame, decode_answer, id_of_answer
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.slots import SharedSlots, ends_of
from tfaas_core.errors import ModelLost
from tfaas_core.models.model import ModelVersion
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class ModelConnection(asyncio.Protocol):
    """Collects the requests of one event-loop turn into one frame, and deals out the answers.

    ``sock`` is what the protocol's transport is made of. A request that has the servable to itself
    is answered sooner than the event loop could sleep and be woken: its answer is awaited by
    ``busy_poll``, unless other connections, with which it shares ``solo``, send, too.

    All methods belong to the event loop's thread.
    """

    def __init__(
        self,
        sock: socket.socket,
        solo: Solo,
        version: ModelVersion,
        meter: Meter,
        worker: int,
        max_queue_rows: int,
        timeout_s: float,
        busy_poll: BusyPoll,
        in_flight: InFlight,
        on_lost: Callable[[ModelConnection], None],
        new: bool = False,
        plugin: str = "",
        max_wait_s: float = 0,
        slots: SharedSlots | None = None,
    ) -> None:
        """``plugin``: the module to blame if the process ends. ``max_wait_s``: see Patience.

        ``slots``: where the values of large frames are, if both ends have the memory for it.
        """
        sock.setblocking(False)
        self.sock, self.meter = sock, meter
        self._solo, self.model, self._plugin = solo, version.name, plugin
        self._groupings = Groupings(version)
        self._first, self._is_lone = self._groupings.at[0], self._groupings.is_lone
        self._worker, self._max_queue_rows, self._timeout_s = worker, max_queue_rows, timeout_s
        self._patience = Patience(max_wait_s or timeout_s)
        self._busy_poll, self._on_lost = busy_poll, on_lost
        self.new = new
        """Whether the servable was loaded for this connection."""
        self._closed, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._slots, (writer, self._reader) = slots, ends_of(slots)
        self._unsent: list[Part] = []
        self._sent: dict[int, Sent] = {}
        self._buffer, dropped = AnswerBuffer(in_flight, self._sent), self._dropped
        self._outbox = Outbox(sock, self._groupings, writer, self._sent, in_flight, dropped)
        self._sweeper: asyncio.TimerHandle | None = None
        self._releasing = self.lost = False

    def submit(
        self,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
        place: int = 0,
    ) -> asyncio.Future[list[Array]]:
        """Sends a request with the others of this turn; the future gets the outputs.

        ``whole``: it shares no run, and is not cut. A request of no rows counts as one.
        ``any_shape``: see Bound. ``place`` is that of the signature asked for.

        Raises QueueFull and ModelLost at once. The future may get DeadlinePassed, ModelLost or what
        the run raised.
        """
        answer: asyncio.Future[list[Array]] = self._loop.create_future()
        self.begin(answer, inputs, rows, whole, timing, any_shape, place)
        return answer

    def begin(
        self,
        answer: Awaiting | AwaitingRows,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
        place: int = 0,
        takes_rows: bool = False,
    ) -> None:
        """As ``submit``; ``answer`` is told later. ``takes_rows``: it is an AwaitingRows."""
        if self.lost:
            raise self._model_lost()
        grouping = self._groupings.at[place] if place else self._first
        part = grouping.part(inputs, rows, whole, self._max_queue_rows, answer, timing)
        part.any_shape, part.takes_rows = any_shape, takes_rows
        ahead = self._patience.most_ahead()
        if not self.meter.add(self._worker, part.counted, self._max_queue_rows, ahead):
            raise refusal(self.meter.rows(), ahead, self.model)
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(part)

    def rows(self) -> int:
        """Rows in flight, of all who count there."""
        return self.meter.rows()

    def is_overdue(self) -> bool:
        """Whether the servable's present run should be over by now."""
        return not self.lost and self.meter.is_overdue()

    def release(self) -> None:
        """Hangs up as soon as nothing is unanswered."""
        self._releasing = True
        self._hang_up_if_idle()

    def close(self) -> None:
        """Hangs up at once; whoever still waits gets ModelLost."""
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Returns once it is hung up, whoever did that."""
        await self._closed.wait()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._outbox.transport = cast(asyncio.WriteTransport, transport)
        if self._unsent:
            self._send()
        elif self._releasing:
            self._hang_up_if_idle()

    def data_received(self, data: bytes) -> None:
        self._busy_poll.ends()
        for frame in self._buffer.feed(data):
            grouping = self._first if self._is_lone else self._answering(frame)
            self._deal_out(decode_answer(frame, grouping.outputs, self._reader), grouping)
        self._outbox.look()
        if self._releasing:
            self._hang_up_if_idle()
        if self._buffer.lacks_room:
            self._buffer.wait_for_room(cast(asyncio.Transport, self._transport))

    def connection_lost(self, _error: Exception | None) -> None:
        self.lost = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        parts = [part for sent in self._sent.values() for part in sent.parts] + self._unsent
        self._sent.clear()
        self._unsent = []
        self._outbox.close()
        self._slots = self._reader = None
        self._buffer.close()
        # Before anybody is told, who may ask again at once.
        self._on_lost(self)
        refuse_all(parts, self._model_lost)
        self.meter.reset(self._worker)
        self.meter.close()
        self._closed.set()

    def _send(self) -> None:
        if self._transport is None or self.lost:
            return
        parts, self._unsent = self._unsent, []
        now_s = time.monotonic()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._timeout_s, self._sweep)
        if not self._is_alone(parts):
            self._solo.has_company(now_s)
        is_lone = self._solo.is_of(self, now_s)
        for group in (self._first if self._is_lone else self._groupings).groups(parts):
            if self._outbox.send(group, now_s + self._timeout_s, self.meter.rows(), is_lone):
                self._poll(now_s)

    def _answering(self, frame: bytes | memoryview) -> Grouping:
        """That of the signature which an answer is of."""
        return self._groupings.at[self._sent[id_of_answer(frame)].parts[0].place]

    def _is_alone(self, parts: list[Part]) -> bool:
        """Whether there is one request, and no other worker has sent one, either."""
        return len(parts) == 1 and not self._sent and self.meter.rows() == parts[0].counted

    def _dropped(self, parts: list[Part]) -> None:
        self.meter.remove(self._worker, sum([part.counted for part in parts]))
        if self._releasing:
            self._hang_up_if_idle()

    def _poll(self, begin_s: float) -> None:
        # It yields, because the model may need this core.
        if data := self._busy_poll.look(partial(receive_now, self.sock), begin_s):
            try:
                self.data_received(data)
            except BaseException:
                self.close()  # as the transport does if it has called it
                raise
            self._loop.call_soon(self._look_round)

    def _look_round(self) -> None:
        if self._unsent:  # it has waited here while another's answer was looked for
            self._solo.has_company(time.monotonic())

    def _deal_out(self, frame: AnswerFrame, grouping: Grouping) -> None:
        sent = self._sent[frame.id]
        parts = sent.parts[frame.first_part : frame.first_part + frame.parts]
        if sent.answered or len(parts) < len(sent.parts):
            sent.check_new(frame.first_part, len(parts))
        start, now_s = 0, time.monotonic()
        # Before anybody is told, who may ask for the next run at once.
        self.meter.remove(self._worker, sum([part.counted for part in parts]))
        wait_s: float | None = None
        if frame.run_rows >= 0 and (first := parts[0].timing) is not None:
            first.run_rows = frame.run_rows
        for part in parts:
            end = start + part.rows
            if (timing := part.timing) is not None:
                if wait_s is None:
                    wait_s = max(0.0, now_s - sent.deadline_s + self._timeout_s - frame.run_s)
                timing.run_s, timing.wait_s = frame.run_s, wait_s
            if part.answer.done():
                pass
            elif frame.failure is not None:
                part.answer.set_exception(frame.failure)
            elif part.takes_rows:
                cast(AwaitingRows, part.answer).set_rows(frame.outputs, start, end)
            elif len(parts) == 1:
                part.answer.set_result(frame.outputs)
            else:
                part.answer.set_result(grouping.share(frame.outputs, start, end))
            start = end
        sent.unanswered -= len(parts)
        if sent.unanswered == 0:
            took_s = now_s - sent.deadline_s + self._timeout_s
            last_rows = sent.parts[-1].counted
            self._patience.answered(sent.in_flight, took_s, frame.run_s, last_rows)
            del self._sent[frame.id]

    def _sweep(self) -> None:
        """One timer serves all requests: they have the same timeout, so the oldest is due first."""
        now = time.monotonic()
        self._sweeper = None
        if self._slots is not None:
            self._slots.trim(is_idle=not self._sent)
        for frame_id, sent in self._sent.items():
            if sent.deadline_s > now:
                self._sweeper = self._loop.call_later(sent.deadline_s - now, self._sweep)
                return
            refuse_all(sent.parts, partial(deadline_passed, self.model, self._timeout_s))
            self._buffer.forget(frame_id)

    def _hang_up_if_idle(self) -> None:
        if not self._sent and not self._unsent and self._transport is not None:
            self._transport.close()

    def _model_lost(self) -> ModelLost:
        return model_lost(self.model, self._plugin)
