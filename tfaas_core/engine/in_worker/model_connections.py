"""The connections to several processes of one version: the least busy one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tfaas_core.engine.beginning import Awaiting, AwaitingRows
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.in_worker.queue import queue_full
from tfaas_core.errors import QueueFull
from tfaas_core.tensors import Array
from tfaas_core.visit import Timing


class ModelConnections:
    """Two or more, to the same version. It belongs to the event loop's thread."""

    def __init__(self, connections: Sequence[ModelConnection], max_queue_rows: int) -> None:
        self.all = tuple(connections)
        self._max_queue_rows = max_queue_rows

    def submit(
        self,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
        place: int = 0,
    ) -> asyncio.Future[list[Array]]:
        """As ``ModelConnection.submit``, by the process with the fewest rows in flight.

        Raises QueueFull if none can take the request in time, or if too many rows wait for all.
        """
        answer: asyncio.Future[list[Array]] = asyncio.get_running_loop().create_future()
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
        """As ``submit``, and as ``ModelConnection.begin``."""
        in_flight = [connection.meter.rows() for connection in self.all]
        waiting = sum(in_flight)
        if waiting + rows > self._max_queue_rows:
            raise queue_full(waiting, self.all[0].model)
        least_busy = self.all[in_flight.index(min(in_flight))]
        try:
            least_busy.begin(answer, inputs, rows, whole, timing, any_shape, place, takes_rows)
        except QueueFull as error:
            # It may be slower than the others, whatever the reason.
            for connection in self.all:
                if connection is least_busy:
                    continue
                try:
                    return connection.begin(
                        answer, inputs, rows, whole, timing, any_shape, place, takes_rows
                    )
                except QueueFull:
                    pass
            raise error

    def rows(self) -> int:
        """Rows in flight, in all of them."""
        return sum(connection.meter.rows() for connection in self.all)

    def release(self) -> None:
        """Hangs up on each as soon as nothing is unanswered there."""
        for connection in self.all:
            connection.release()
