"""The life of a loaded servable: receive, merge, run, split, in a thread of its own."""

from __future__ import annotations

import itertools
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from tfaas_core.engine.frames import (
    FrameBuffer,
    RequestFrame,
    decode_request,
    encode_answer,
    encode_failure,
)
from tfaas_core.engine.meter import Meter
from tfaas_core.engine.pace import Pace
from tfaas_core.engine.warmup import Warmed
from tfaas_core.errors import DeadlinePassed, DoesNotFit, TfaasError
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array, BatchAxis

_RECEIVE_BYTES = 1 << 18

_log = logging.getLogger("tfaas.engine")


class _Client:
    """One connection from an HTTP worker. Never blocks: a stalled client holds up nobody else."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.frames = FrameBuffer()
        self._unsent: deque[memoryview] = deque()

    def receive(self) -> list[bytes] | None:
        """The frames that are complete now; None once the connection is closed."""
        try:
            data = self.sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        return list(self.frames.feed(data)) if data else None

    def send(self, answer: bytes) -> None:
        self._unsent.append(memoryview(answer))
        if len(self._unsent) == 1:
            self.flush()

    def flush(self) -> None:
        """Sends what the socket takes now."""
        try:
            while self._unsent:
                sent = self.sock.send(self._unsent[0])
                self._unsent[0] = self._unsent[0][sent:]
                if not self._unsent[0]:
                    self._unsent.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    @property
    def stalled(self) -> bool:
        return bool(self._unsent)


class _Waiting(msgspec.Struct):
    client: _Client
    frame: RequestFrame


class ServableLoop:
    """Answers frames for one servable until it is told to unload and its last client hung up.

    Batching needs no timer: while one batch runs, requests wait in the sockets, and what is there
    when it ends is the next batch.

    ``busy_poll_s``: where the last requests came sooner than this after what was there before them,
    the next are looked for again and again for as long before the thread sleeps.
    """

    def __init__(
        self,
        servable: Servable,
        warmed: Warmed,
        max_batch_rows: int,
        busy_poll_s: float,
        meter: Meter,
        pace: Pace,
        on_unloaded: Callable[[], None],
    ) -> None:
        self._servable = servable
        self._signature = warmed.signature
        self._mergeable = warmed.mergeable
        self._max_batch_rows = max_batch_rows
        self._busy_poll_s = busy_poll_s
        self._busy = False
        self._meter = meter
        self._pace = pace
        self._on_unloaded = on_unloaded
        self._clients = 0
        self._unloading = False
        self._waiting: deque[_Waiting] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ring = socket.socketpair()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="tfaas-servable", daemon=True)

    def start(self) -> None:
        """Starts the thread. The methods below may be called from any other."""
        self._thread.start()

    def connect(self, sock: socket.socket) -> None:
        """Answers the frames that come from ``sock``, too."""
        self._call(lambda: self._add(sock))

    def unload(self) -> None:
        """Ends once no client is connected."""
        self._call(self._begin_unloading)

    def _call(self, function: Callable[[], None]) -> None:
        self._calls.append(function)
        self._ring.send(b"!")

    def _add(self, sock: socket.socket) -> None:
        self._clients += 1
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock))

    def _begin_unloading(self) -> None:
        self._unloading = True

    def _remove(self, client: _Client) -> None:
        self._clients -= 1
        self._selector.unregister(client.sock)
        client.sock.close()

    def _run(self) -> None:
        while not (self._unloading and self._clients == 0):
            self._receive(wait=not self._waiting)
            batch = self._take()
            if batch:
                self._answer(batch)
        self._servable.close()
        self._meter.close()
        self._pace.close()
        self._selector.close()
        self._bell.close()
        self._ring.close()
        self._on_unloaded()

    def _receive(self, wait: bool) -> None:
        for key, _events in self._wait() if wait else self._selector.select(0):
            if key.data is None:
                self._bell.recv(4096)
                while self._calls:
                    self._calls.popleft()()
            else:
                self._serve(key.data)

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        # To sleep and be woken takes longer than a small model's run.
        begin_s = time.monotonic()
        yields = not self._pace.beside_slow_runs()
        while self._busy and time.monotonic() - begin_s < self._busy_poll_s:
            if ready := self._selector.select(0):
                return ready
            # Whoever is about to send a request may need this core; a slow run would keep it.
            if yields:
                os.sched_yield()
        ready = self._selector.select()
        self._busy = time.monotonic() - begin_s < self._busy_poll_s
        return ready

    def _serve(self, client: _Client) -> None:
        if client.stalled:
            client.flush()
            self._watch(client)
            return
        frames = client.receive()
        if frames is None:
            self._remove(client)
            return
        for data in frames:
            frame = decode_request(data, self._signature.inputs)
            self._waiting.append(_Waiting(client, frame))

    def _send(self, client: _Client, answer: bytes) -> None:
        client.send(answer)
        if client.stalled:
            self._watch(client)

    def _watch(self, client: _Client) -> None:
        # A client that does not read its answers may send no further requests.
        event = selectors.EVENT_WRITE if client.stalled else selectors.EVENT_READ
        if client.sock.fileno() >= 0:
            self._selector.modify(client.sock, event, client)

    def _take(self) -> list[_Waiting]:
        """The next batch: the oldest frame, and the ones behind it that fit into the same run."""
        batch: list[_Waiting] = []
        rows = 0
        while self._waiting:
            waiting = self._waiting[0]
            if waiting.frame.deadline_s < time.monotonic():
                self._fail(self._waiting.popleft(), DeadlinePassed("the prediction is too late"))
                continue
            if batch and not self._joins(batch[0].frame, waiting.frame, rows):
                break
            batch.append(self._waiting.popleft())
            rows += waiting.frame.rows
        return batch

    def _joins(self, first: RequestFrame, frame: RequestFrame, rows: int) -> bool:
        if not self._mergeable or rows + frame.rows > self._max_batch_rows:
            return False
        return all(
            a.shape[1:] == b.shape[1:] for a, b in zip(first.inputs, frame.inputs, strict=True)
        )

    def _answer(self, batch: list[_Waiting]) -> None:
        alone = len(batch) == 1 and len(batch[0].frame.part_rows) == 1
        try:
            outputs = self._run_rows(_merge([waiting.frame for waiting in batch]))
            if not alone:
                _check_rows(outputs, sum(waiting.frame.rows for waiting in batch))
        except TfaasError as error:
            if alone:
                self._fail(batch[0], error)
            else:
                for waiting in batch:
                    self._answer_one_by_one(waiting)
            return
        start = 0
        for waiting in batch:
            end = start + waiting.frame.rows
            own = outputs if len(batch) == 1 else [output[start:end] for output in outputs]
            self._succeed(waiting, 0, len(waiting.frame.part_rows), own)
            start = end

    def _answer_one_by_one(self, waiting: _Waiting) -> None:
        """One part's values cannot be run: the others must not suffer for it."""
        frame = waiting.frame
        ends = list(itertools.accumulate(frame.part_rows))
        for part, (rows, end) in enumerate(zip(frame.part_rows, ends, strict=True)):
            try:
                outputs = self._run_rows([array[end - rows : end] for array in frame.inputs])
            except TfaasError as error:
                self._send(waiting.client, encode_failure(frame.id, part, 1, error))
            else:
                self._succeed(waiting, part, 1, outputs)

    def _succeed(
        self, waiting: _Waiting, first_part: int, parts: int, outputs: Sequence[Array]
    ) -> None:
        frame_id = waiting.frame.id
        try:
            answer = encode_answer(frame_id, first_part, parts, outputs, self._signature.outputs)
        except Exception as error:  # outputs of another dtype, say
            answer = encode_failure(frame_id, first_part, parts, _bug(error))
        self._send(waiting.client, answer)

    def _fail(self, waiting: _Waiting, error: TfaasError) -> None:
        frame = waiting.frame
        self._send(waiting.client, encode_failure(frame.id, 0, len(frame.part_rows), error))

    def _run_rows(self, inputs: list[Array]) -> list[Array]:
        """Runs inputs of any number of rows, in as many runs as the model and the limit ask for."""
        batch = self._signature.batch
        rows = inputs[0].shape[0] if inputs and batch is not BatchAxis.NONE else 1
        most = 1 if batch is BatchAxis.ONE else self._max_batch_rows if self._mergeable else rows
        if batch is BatchAxis.NONE or rows <= most:
            return self._run_once(inputs)
        runs = [
            self._run_once([array[start : start + most] for array in inputs])
            for start in range(0, rows, most)
        ]
        return [np.concatenate(parts) for parts in zip(*runs, strict=True)]

    def _run_once(self, inputs: list[Array]) -> list[Array]:
        self._meter.run_begins(self._pace.run_begins())
        try:
            return self._servable.run(inputs)
        except TfaasError:
            raise
        except Exception as error:
            raise _bug(error) from error
        finally:
            self._meter.run_ends()
            self._pace.run_ends()


def _bug(error: Exception) -> TfaasError:
    """A runtime's bug, which must not end the thread."""
    _log.error("the runtime raises or answers what it must not", exc_info=error)
    return TfaasError(f"the runtime failed: {type(error).__name__}")


def _merge(frames: Sequence[RequestFrame]) -> list[Array]:
    if len(frames) == 1:
        return frames[0].inputs
    columns = zip(*(frame.inputs for frame in frames), strict=True)
    return [np.concatenate(column) for column in columns]


def _check_rows(outputs: Sequence[Array], rows: int) -> None:
    if any(output.shape[:1] != (rows,) for output in outputs):
        raise DoesNotFit("the model did not answer each row of the batch")
