"""FarConnection: a connection from an HTTP worker of another machine."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TypeAlias

from tfaas_core.engine.in_model_process.worker_connection import WorkerConnection
from tfaas_core.engine.shared.far_messages import Far
from tfaas_core.engine.shared.frames import (
    MOST_REQUEST_BYTES,
    FrameBuffer,
    RequestFrame,
    decode_request,
    is_request,
    parts_of_answer,
)
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.sender_clock import SenderClock
from tfaas_core.engine.shared.sent_answer import LentAnswer, SentAnswer
from tfaas_core.engine.shared.slots import SharedSlots
from tfaas_core.errors import QueueFull
from tfaas_core.tensors import Array, TensorSpec

Via: TypeAlias = Far | SharedSlots | None
"""How a connection goes: from another machine, or with memory that both ends share, or without."""


class FarConnection(WorkerConnection):
    """Counts the rows that it brings, since that machine shares no meter with this one.

    Deadlines are made this machine's. What is no frame ends this connection, and no other.
    """

    def __init__(self, sock: socket.socket, far: Far, meter: Meter) -> None:
        super().__init__(sock)
        self.frames = FrameBuffer(MOST_REQUEST_BYTES)
        self._far, self._meter = far, meter
        self._clock = SenderClock(far.sent_s, far.timeout_s, far.came_s)
        self._counted: dict[int, list[int]] = {}
        self._unanswered: dict[int, int] = {}

    def receive(self) -> list[bytes] | None:
        try:
            frames = super().receive()
        except OSError:  # the machine is gone, or a frame is too large
            return None
        return frames if frames is None or all(map(is_request, frames)) else None

    def read(
        self, frame: bytes, specs: Sequence[TensorSpec], values: Array | None = None
    ) -> RequestFrame:
        """As ``decode_request``; raises QueueFull if too many rows wait already."""
        request = decode_request(frame, specs, values)
        request.deadline_s = self._clock.here(request.deadline_s)
        counted = [rows or 1 for rows in request.part_rows]
        if request.id in self._counted:
            raise ValueError(f"two requests have the id {request.id}")
        most = self._far.most_rows
        if not self._meter.add(self._far.counted_as, sum(counted), most):
            raise QueueFull(
                f"{self._meter.rows()} rows are waiting for the model on its host, of which "
                f"engine.max_queue_rows allows {most} there; try again later"
            )
        self._counted[request.id], self._unanswered[request.id] = counted, len(counted)
        return request

    def send(self, answer: SentAnswer) -> None:
        head = answer.head if isinstance(answer, LentAnswer) else answer
        frame_id, first, parts = parts_of_answer(head)
        if (counted := self._counted.get(frame_id)) is not None:
            self._meter.remove(self._far.counted_as, sum(counted[first : first + parts]))
            counted[first : first + parts] = [0] * len(counted[first : first + parts])
            self._unanswered[frame_id] -= parts
            if self._unanswered[frame_id] <= 0:
                del self._counted[frame_id], self._unanswered[frame_id]
        super().send(answer)


def client_via(sock: socket.socket, via: Via, meter: Meter) -> WorkerConnection:
    """The servable's side of a connection from an HTTP worker."""
    return FarConnection(sock, via, meter) if isinstance(via, Far) else WorkerConnection(sock, via)
