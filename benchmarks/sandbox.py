"""What the sandbox of models costs: a process in CPU time and memory, and a prediction."""

from __future__ import annotations

import gc
import json
import os
import resource
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
import psutil

from benchmarks.options import parse
from benchmarks.report import Report
from tfaas_core.sandbox.confine import OWN_SOCKET, Cell, Prison, confine
from tfaas_core.sandbox.libraries import Libraries
from tfaas_core.sandbox.parts import Parts
from tfaas_core.system.resources.memory import private_bytes
from tfaas_core.system.resources.usable_memory import usable_bytes
from tfaas_core.testing.server import RunningServer, running_server

_FIRST_USER = 1_879_048_192
_ROUND = 500
_STEADY = ("engine.busy_poll_us=0", "engine.threads=1")
"""So that nothing but the work itself takes time."""

_MODEL = Path(__file__).parents[1] / "backends/tfaas_backends/demo/particles.pb"


class Process(msgspec.Struct, frozen=True):
    """What a forked process has used until it could begin to load a model."""

    cpu_ms: float
    private_kb: int


def forked(prison: Prison | None, artifact: str) -> Process:
    """Forks a process, and confines it, or not."""
    ours, theirs = socket.socketpair()
    lifeline, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if prison is None:
            os.dup2(theirs.fileno(), OWN_SOCKET)
        else:
            confine(prison, artifact, theirs.fileno(), lifeline)
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = 1e3 * (used.ru_utime + used.ru_stime)
        os.write(OWN_SOCKET, json.dumps(told).encode() + b"\n")
        # Until it has been looked at.
        os.read(OWN_SOCKET, 1)
        os._exit(0)
    theirs.close()
    with ours, ours.makefile() as answer:
        cpu_ms = json.loads(answer.readline())
        memory = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
        private_kb = int(memory[memory.index("Private_Dirty:") + 1])
    os.waitpid(pid, 0)
    for descriptor in (lifeline, writing):
        os.close(descriptor)
    return Process(cpu_ms, private_kb)


def processes(rounds: int) -> list[list[str]]:
    """Both kinds in turn, of a process that has imported TensorFlow."""
    import tfaas_backends.runtimes.tensorflow.private  # noqa: F401

    first_user = _FIRST_USER if "user" in Parts.of_this_machine(_FIRST_USER).present else None
    prison = Prison.of(Cell(first_user, usable_bytes()), Libraries.imported())
    gc.freeze()
    found: list[list[Process]] = [[], []]
    for _turn in range(rounds):
        for kept, how in zip(found, (None, prison), strict=True):
            kept.append(forked(how, str(_MODEL)))
    cpu = [median(process.cpu_ms for process in kept) for kept in found]
    memory = [median(process.private_kb for process in kept) for kept in found]
    return [
        ["a process, ms of CPU time", *_pair(cpu, 2)],
        ["a process, kB of private memory", *_pair(memory, 0)],
    ]


def predictions(rounds: int) -> list[list[str]]:
    """Rounds of 500 in turn: CPU time of the model's process, a prediction."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        off = running_server(Path(one), "server.workers=1", *_STEADY, "engine.sandbox=off")
        on = running_server(Path(two), "server.workers=1", *_STEADY)
        with off as open_server, on as confined_server:
            servers = (open_server, confined_server)
            for server in servers:
                server.upload("particles", _MODEL).raise_for_status()
            found: list[list[float]] = [[], []]
            for turn in range(rounds):
                # Who comes second finds other things in the caches.
                for place in (0, 1) if turn % 2 else (1, 0):
                    found[place].append(_round_us(servers[place]))
            loaded = [private_bytes(server.model_processes()[0].pid) or 0 for server in servers]
    return [
        ["a prediction, us of CPU time", *_pair([median(kept) for kept in found], 1)],
        ["a loaded model, kB of private memory", *_pair([size / 1024 for size in loaded], 0)],
    ]


def _round_us(server: RunningServer) -> float:
    (process,) = server.model_processes()
    before = _cpu_s(process)
    for _turn in range(_ROUND):
        answer = server.predict(model="particles", values=[1.0] * 42)
        answer.raise_for_status()
    return 1e6 * (_cpu_s(process) - before) / _ROUND


def _cpu_s(process: psutil.Process) -> float:
    # In nanoseconds, and not in ticks.
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _pair(values: Sequence[float], digits: int) -> list[str]:
    off, on = values
    return [f"{off:.{digits}f}", f"{on:.{digits}f}", f"{on - off:+.{digits}f}"]


def main() -> None:
    options = parse(__doc__)
    rows = [*processes(100 * options.rounds), *predictions(10 * options.rounds)]
    header = ["what", "without", "with the sandbox", "difference"]
    Report().add("What the sandbox of models costs", header, rows)


if __name__ == "__main__":
    main()
