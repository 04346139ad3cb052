"""Slow messages: what becomes of clients that send them, or begin none."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from tfaas_core.errors import HttpRefused
from tfaas_core.settings.tables import Limits
from tfaas_plugins.grpc_server.arrivals import Arrivals
from tfaas_plugins.grpc_server.gate import Gate
from tfaas_plugins.grpc_server.messages import LeastPace

_log = logging.getLogger("tfaas.grpc")


class SlowMessages:
    """Lets go of whoever sends less than ``limits`` ask for.

    gRPC's library has no way to give up a message that has come in part, so the connection ends,
    too, once its client has been told.
    """

    def __init__(self, arrivals: Arrivals, gate: Gate, limits: Limits) -> None:
        self._arrivals = arrivals
        self._gate = gate
        self._least = LeastPace.of(limits)
        self._window_s = limits.pace_window_s

    async def watch(self) -> None:
        """Looks at all connections, until it is cancelled."""
        while True:
            await asyncio.sleep(self._least.look_s)
            late = self._gate.late(self._least)
            for connection in late:
                self._arrivals.refuse(connection, partial(self._refusal, "came too slowly"))
                connection.end_soon()
            if late:
                _log.info("clients that sent their messages too slowly were cut: %d", len(late))
            silence = partial(self._refusal, "did not come in time")
            self._arrivals.refuse_silent(self._least, silence)

    def _refusal(self, what: str) -> HttpRefused:
        return HttpRefused(
            f"the message {what}; send {self._least.window_bytes:.0f} bytes in "
            f"{self._window_s:g} s at least (limits.min_bytes_per_s)",
            408,
        )
