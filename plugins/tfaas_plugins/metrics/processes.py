"""Processes: how much memory and CPU time the processes of the server have, and what is loaded."""

from __future__ import annotations

import asyncio
import os
import time
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from tfaas_core.shared_memory import SharedMemory
from tfaas_plugins.metrics.shared import LOOK_AT, LOOK_BYTES

if TYPE_CHECKING:
    from tfaas_core.host import Host

_MOST_HOSTS = 1000
"""Each has a series of its own; and whatever their names, they leave room for models."""

_UP = ("serves", "leaving")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process(msgspec.Struct, frozen=True):
    """One of the server's. ``memory_bytes``: what would come back if it went; None: not known, as
    with ``cpu_s``, which is what it has computed."""

    kind: str
    pid: int
    memory_bytes: int | None
    cpu_s: float | None


class LoadedModel(msgspec.Struct, frozen=True):
    """A version that is loaded, and the process that it is in."""

    model: str
    version: str
    state: str
    pid: int | None
    memory_bytes: int | None
    cpu_s: float | None
    queue_rows: int
    host: str = ""
    """That of the process; empty: this machine."""

    @property
    def process(self) -> str:
        """Its pid, and the host if that is another one, as a label."""
        pid = str(self.pid or "")
        return f"{pid}@{self.host}" if self.host else pid


class Look(msgspec.Struct, frozen=True):
    """How the processes were when somebody looked."""

    start_s: float = 0.0
    """When the server started, in seconds since 1970."""
    processes: list[Process] = []
    models: list[LoadedModel] = []
    hosts: dict[str, bool] = {}
    """Of the first _MOST_HOSTS of other hosts, whether they answer."""

    @classmethod
    async def now(cls, host: Host) -> Look:
        """Asks the parent and the engine."""
        status, servables = await asyncio.gather(host.status(), host.engine.servables())
        own = {each.pid for each in servables if not each.host}
        pids = {each.pid for each in status.processes} | own
        cpu = await asyncio.to_thread(_cpu_times, {pid for pid in pids if pid is not None})
        processes = [
            Process(each.kind, each.pid, each.private_bytes, cpu.get(each.pid))
            for each in status.processes
        ]
        models = []
        for each in servables:
            name, _, version = each.model.partition("/")
            seen = cpu.get(each.pid) if each.pid is not None and not each.host else None
            of_process = (each.pid, each.private_bytes, seen, each.rows_in_flight, each.host)
            models.append(LoadedModel(name, version, each.state, *of_process))
        hosts = {each.host: each.state in _UP for each in host.engine.hosts()[:_MOST_HOSTS]}
        return cls(time.time() - status.uptime_s, processes, models, hosts)


class LastLook:
    """The last one, in memory that all HTTP workers share: one of them writes it.

    It is written into two places in turn, so that a reader finds a whole one.
    """

    def __init__(self, memory: SharedMemory) -> None:
        self._bytes = memory.bytes

    def write(self, look: Look) -> None:
        """Of models that are too many for the room, the last are left out; then of hosts, and of
        processes."""
        number = max(self._number(0), self._number(1)) + 1
        document = msgspec.json.encode(look)
        while len(document) > LOOK_BYTES - 16:
            look = _shortened(look)
            document = msgspec.json.encode(look)
        at = LOOK_AT + number % 2 * LOOK_BYTES
        self._bytes[at : at + 8] = bytes(8)
        self._bytes[at + 8 : at + 16] = len(document).to_bytes(8, "little")
        self._bytes[at + 16 : at + 16 + len(document)] = document
        self._bytes[at : at + 8] = number.to_bytes(8, "little")

    def read(self) -> Look:
        """An empty one if nobody has looked yet."""
        for _attempt in range(3):
            place = 0 if self._number(0) > self._number(1) else 1
            number = self._number(place)
            if number == 0:
                break
            at = LOOK_AT + place * LOOK_BYTES
            size = int.from_bytes(self._bytes[at + 8 : at + 16], "little")
            document = self._bytes[at + 16 : at + 16 + size]
            if self._number(place) == number:
                return msgspec.json.decode(document, type=Look)
        return Look()

    def _number(self, place: int) -> int:
        at = LOOK_AT + place * LOOK_BYTES
        return int.from_bytes(self._bytes[at : at + 8], "little")


def _shortened(look: Look) -> Look:
    """With half as many models; if it has none, so many hosts, or else processes."""
    if models := look.models:
        return msgspec.structs.replace(look, models=models[: len(models) // 2])
    if hosts := look.hosts:
        return msgspec.structs.replace(look, hosts=dict(islice(hosts.items(), len(hosts) // 2)))
    return msgspec.structs.replace(look, processes=look.processes[: len(look.processes) // 2])


def _cpu_times(pids: set[int]) -> dict[int, float]:
    found = ((pid, _cpu_s(pid)) for pid in pids)
    return {pid: seconds for pid, seconds in found if seconds is not None}


def _cpu_s(pid: int) -> float | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program comes first, and may have blanks.
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    except (OSError, ValueError, IndexError):
        return None
