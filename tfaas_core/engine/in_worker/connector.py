"""Connector: makes connections to model processes of what the pool hands over."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Sequence

import msgspec

from tfaas_core.engine.base import WorkerContext
from tfaas_core.engine.in_worker.connection import ModelConnection
from tfaas_core.engine.scheduling.busy_poll import BusyPoll, Solo
from tfaas_core.engine.shared.meter import Meter
from tfaas_core.engine.shared.slots import SharedSlots
from tfaas_core.errors import SEE_LOG, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.runtime import LoadOptions

_log = logging.getLogger("tfaas.engine")


class WantedConnection(msgspec.Struct, frozen=True):
    """What a connection was asked for: a stored version, by its key; an upload has none."""

    version: ModelVersion
    key: str = ""


class Connector:
    """What all connections of an HTTP worker have in common."""

    def __init__(self, context: WorkerContext) -> None:
        self._max_queue_rows = context.config.engine.max_queue_rows
        self._max_wait_s = context.config.engine.max_wait_s
        self._timeout_s = context.config.server.request_timeout_s
        self._busy_poll_s = LoadOptions.of(context.config.engine).busy_poll_s
        self._worker = context.worker
        self._suspect = context.suspect
        self._solo = Solo()
        limits = context.config.limits
        self._in_flight = context.in_flight or InFlight(limits.max_bytes_in_flight)

    def connection(
        self,
        version: ModelVersion,
        descriptors: Sequence[int],
        on_lost: Callable[[ModelConnection], None],
        new: bool = False,
    ) -> ModelConnection:
        """A connection to ``version``, which takes over the ``descriptors`` of a Connected.

        Raises Unavailable if there cannot be one, and logs why; then they are closed.
        """
        made: list[socket.socket | Meter] = []
        try:
            if len(descriptors) < 2:  # the kernel drops what this process may not open
                raise OSError("too many files are open in this HTTP worker")
            made.append(sock := socket.socket(fileno=descriptors[0]))
            made.append(meter := Meter.of(descriptors[1]))
            slots = SharedSlots.of(descriptors[2:], is_servable=False)
            descriptors = descriptors[:2]  # it has the rest, or has closed it
            return self._connection(version, sock, meter, on_lost, new, slots)
        except Exception as error:
            for each in made:
                each.close()
            close_all(descriptors[len(made) :])
            _log.exception("%s cannot be connected to", version.reference)
            raise Unavailable(
                f"model {version.name!r} cannot be connected to at the moment; try again{SEE_LOG}",
                model=version.name,
            ) from error

    async def begin(self, connection: ModelConnection) -> None:
        """Makes its transport; if that fails, whoever waits for an answer hears of it."""
        loop = asyncio.get_running_loop()
        try:
            # Whatever kind of stream socket it is.
            await loop.create_connection(lambda: connection, sock=connection.sock)
        except BaseException:
            connection.connection_lost(None)
            raise

    def _connection(
        self,
        version: ModelVersion,
        sock: socket.socket,
        meter: Meter,
        on_lost: Callable[[ModelConnection], None],
        new: bool,
        slots: SharedSlots | None,
    ) -> ModelConnection:
        return ModelConnection(
            sock=sock,
            solo=self._solo,
            version=version,
            meter=meter,
            worker=self._worker,
            max_queue_rows=self._max_queue_rows,
            timeout_s=self._timeout_s,
            busy_poll=BusyPoll.in_worker(self._busy_poll_s),
            in_flight=self._in_flight,
            on_lost=on_lost,
            new=new,
            plugin=self._suspect(version.runtime),
            max_wait_s=self._max_wait_s,
            slots=slots,
        )


def close_all(descriptors: Sequence[int]) -> None:
    """Closes what came with a message, and is not wanted."""
    for descriptor in descriptors:
        os.close(descriptor)
