"""The life of a loaded servable: receive, merge, run, split, in a thread of its own."""

from __future__ import annotations

import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from tfaas_core.engine.in_model_process.bell import Bell
from tfaas_core.engine.in_model_process.dealing import dealt_out
from tfaas_core.engine.in_model_process.far_connection import Via, client_via
from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.runner import Runner, runners, too_late
from tfaas_core.engine.in_model_process.signed import Signed
from tfaas_core.engine.in_model_process.waiting_frames import WaitingFrame, WaitingFrames
from tfaas_core.engine.in_model_process.worker_connection import WorkerConnection
from tfaas_core.engine.scheduling.busy_poll import BusyPoll, Solo
from tfaas_core.engine.scheduling.pace import Pace
from tfaas_core.engine.shared.frames import (
    answer_pieces,
    encode_failure,
    failure_of,
    signature_of_request,
    values_of_request,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.sent_answer import SentAnswer, sent_answer
from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.runtime import LoadOptions


class ServableLoop:
    """Answers frames for one servable until it is told to unload and its last client hung up.

    Batching needs no timer: while one batch runs, requests wait in the sockets, and what is there
    when it ends is the next batch.

    Whatever goes wrong with a request, of any kind of exception, is its answer, and the loop goes
    on. If anything else goes wrong, all clients are hung up on, and the loop is over.

    ``all_signed``: its signatures, the chosen one first; None: one that is not there any more.
    ``origin``: for messages. ``on_unloaded`` is called at the end, or ``on_broken`` if
    nobody asked for that end.
    """

    def __init__(
        self,
        all_signed: Sequence[Signed | None],
        options: LoadOptions,
        meter: Meter,
        pace: Pace,
        on_unloaded: Callable[[], None],
        on_broken: Callable[[], None] | None = None,
        origin: Origin | None = None,
    ) -> None:
        self.servables = [signed.servable for signed in all_signed if signed is not None]
        self._origin = origin or Origin()
        self._runners = runners(all_signed, options, meter, pace, self._origin, self._keep_lent)
        self._busy_poll = BusyPoll(options.busy_poll_s)
        self._meter, self._pace = meter, pace
        self._on_unloaded = on_unloaded
        self._on_broken = on_broken or on_unloaded
        self._clients: set[WorkerConnection] = set()
        self._joining: set[socket.socket] = set()
        self._unloading = False
        self._waiting = WaitingFrames(self._fail)
        self._lent_to: set[WorkerConnection] = set()
        self._solo, self._is_lone = Solo(), False
        self._bell = Bell()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="tfaas-servable", daemon=True)

    def start(self) -> None:
        """Starts the thread. The methods below may be called from any other."""
        self._thread.start()

    def connect(self, sock: socket.socket, via: Via = None) -> None:
        """Answers the frames that come from ``sock``, too; ``via``: see ``client_via``."""
        self._joining.add(sock)
        if not self._bell.ring(partial(self._add, sock, via)):
            sock.close()

    def turn(self) -> None:
        """Has the meter show that the loop turns; it does so for every request, too."""
        self._bell.ring(lambda: None)

    def adopt(self, name: str) -> None:
        """From now on the servable answers clients as the model ``name``.

        What it ran before must not be seen by them: a stateful one is reset.
        """
        self._bell.ring(partial(self._begin_serving, name))

    def unload(self) -> None:
        """Ends once no client is connected."""
        self._bell.ring(self._begin_unloading)

    def _add(self, sock: socket.socket, via: Via) -> None:
        client = client_via(sock, via, self._meter)
        self._clients.add(client)
        self._joining.discard(sock)
        self._selector.register(sock, selectors.EVENT_READ, client)

    def _begin_serving(self, name: str) -> None:
        self._origin.key = name
        stateful = next((each for each in self.servables if each.stateful), None)
        if stateful is not None:
            stateful.reset()

    def _begin_unloading(self) -> None:
        self._unloading = True

    def _remove(self, client: WorkerConnection) -> None:
        client.is_gone, client.takes_more = True, False
        self._waiting.resume(client)
        self._clients.discard(client)
        self._lent_to.discard(client)
        self._selector.unregister(client.sock)
        client.sock.close()

    def _run(self) -> None:
        try:
            while not (self._unloading and not self._clients):
                self._turn()
            # As a run, so that one which hangs is noticed.
            self._meter.run_begins()
            self.servables[0].close()
            self._meter.run_ends()
        except BaseException as error:
            self._origin.is_lost(error)
            # Before the clients know: they will ask for another.
            self._on_broken()
            self._close()
        else:
            self._close()
            self._on_unloaded()

    def _close(self) -> None:
        self._bell.close()
        for sock in [*self._joining, *(client.sock for client in self._clients)]:
            sock.close()
        self._selector.close()
        self._meter.close()
        self._pace.close()

    def _turn(self) -> None:
        self._receive(wait=not self._waiting)
        self._meter.turns()
        batch = self._waiting.take()
        if not batch:
            return
        self._is_lone = self._asks_alone(batch)
        if len(batch) > 1 or batch[0].runner.shares(batch[0].frame):
            self._answer_together(batch)
        else:
            self._answer_one_by_one(batch[0])

    def _receive(self, wait: bool) -> None:
        for key, _events in self._wait() if wait else self._selector.select(0):
            if key.data is None:
                self._bell.answer()
            else:
                self._serve(key.data)

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        select = self._selector.select
        if not self._is_lone:
            return select()
        # Whoever is about to send a request may need this core; a slow run would keep it.
        yields = not self._pace.beside_slow_runs()
        return self._busy_poll.wait(lambda: select(0) or None, select, yields)

    def _serve(self, client: WorkerConnection) -> None:
        if client.unsent:
            client.flush()
            self._watch(client)
            if client.takes_more or client.is_gone:
                self._waiting.resume(client)
            return
        frames = client.receive()
        if frames is None:
            self._remove(client)
            return
        for data in frames:
            try:
                # First, so that they count as read whatever becomes of the frame.
                values = values_of_request(data, client.reader)
                runner = self._runner_of(signature_of_request(data))
                frame = client.read(data, runner.signature.inputs, values)
            except BaseException as error:
                # It was made for a model of another signature, say.
                self._send(client, failure_of(data, self._told(error)))
            else:
                self._waiting.add(client, frame, runner)

    def _runner_of(self, place: int) -> Runner:
        runner = self._runners[place] if place < len(self._runners) else None
        if runner is None:
            raise CannotServe("the model has this signature no more; upload it again")
        return runner

    def _send(self, client: WorkerConnection, answer: SentAnswer) -> None:
        client.send(answer)
        if client.unsent:
            self._watch(client)
            self._lent_to.add(client)

    def _keep_lent(self) -> None:
        """What a run is about to change, and clients have not taken yet, is copied."""
        for client in self._lent_to:
            client.keep_lent()
            self._watch(client)
        self._lent_to.clear()

    def _watch(self, client: WorkerConnection) -> None:
        # A client that does not read its answers may send no further requests.
        event = selectors.EVENT_WRITE if client.unsent else selectors.EVENT_READ
        if client.sock.fileno() >= 0:
            self._selector.modify(client.sock, event, client)

    def _asks_alone(self, batch: list[WaitingFrame]) -> bool:
        first, now_s = batch[0], time.monotonic()
        is_one = len(batch) == 1 and len(first.frame.part_rows) == 1
        if not is_one or self._meter.rows() > max(first.frame.rows, 1):
            self._solo.has_company(now_s)
        return self._solo.is_of(id(first.client), now_s)

    def _answer_together(self, batch: list[WaitingFrame]) -> None:
        try:
            answers = self._answers(batch)
        except BaseException as error:
            if not isinstance(error, TfaasError):
                self._told(error)
            # The values of one part cannot be run, say: the others must not suffer for it.
            for waiting in batch:
                self._answer_one_by_one(waiting)
        else:
            for waiting, own in zip(batch, answers, strict=True):
                for answer in own:
                    self._send(waiting.client, answer)

    def _answers(self, batch: list[WaitingFrame]) -> list[list[SentAnswer]]:
        frames = [waiting.frame for waiting in batch]
        self._keep_lent()
        begin_s = time.monotonic()
        runner = batch[0].runner
        outputs = runner.together(frames)
        run_s = time.monotonic() - begin_s
        writers = [waiting.client.writer for waiting in batch]
        answers = dealt_out(frames, writers, outputs, runner.signature.outputs, run_s)
        if runner.answered.learns:
            runner.answered.learn(sum([frame.rows for frame in frames]), outputs, answers)
        return answers

    def _answer_one_by_one(self, waiting: WaitingFrame) -> None:
        frame = waiting.frame
        ends = zip(frame.part_rows, itertools.accumulate(frame.part_rows), strict=True)
        for part, (rows, end) in enumerate(ends, frame.first_part):
            try:
                answer = self._answer_alone(waiting, part, rows, end)
            except BaseException as error:
                answer = encode_failure(frame.id, part, 1, self._told(error))
            self._send(waiting.client, answer)

    def _answer_alone(self, waiting: WaitingFrame, part: int, rows: int, end: int) -> SentAnswer:
        frame, runner = waiting.frame, waiting.runner
        if part and time.monotonic() > frame.deadline_s:
            raise too_late()
        inputs = frame.inputs
        if len(frame.part_rows) > 1:
            inputs = [array[end - rows : end] for array in inputs]
        self._keep_lent()
        begin_s = time.monotonic()
        if frame.any_shape:
            outputs = runner.of_any_shape(inputs)
        else:
            outputs = runner.alone(inputs, rows, frame.whole, frame.deadline_s)
        run_s = time.monotonic() - begin_s
        specs, slots = runner.signature.outputs, waiting.client.writer
        answer = sent_answer(answer_pieces(frame.id, part, 1, outputs, specs, run_s, rows, slots))
        if runner.answered.learns:
            runner.answered.learn(rows, outputs, [[answer]])
        return answer

    def _fail(self, waiting: WaitingFrame, error: TfaasError) -> None:
        frame = waiting.frame
        parts = len(frame.part_rows)
        self._send(waiting.client, encode_failure(frame.id, frame.first_part, parts, error))

    def _told(self, error: BaseException) -> TfaasError:
        """The error as clients get it. One that is not the model's or the values' is logged."""
        if isinstance(error, TfaasError):
            self._origin.raised(error, "a run")
            return error
        return self._origin.run_failed(error)
