"""Faults of processes: SIGKILL and SIGSTOP, and no descriptors left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from tests.chaos.fault import KILL_LIMIT_S, LATE, LOST, RESETS, STOP_LIMIT_S, Fault, Lift, nothing
from tests.chaos.target import Target
from tfaas_core.testing.waiting import until

_PAUSE_S = 3.0
_LONG_PAUSE_S = 7.5
"""Longer than it takes until a process that alone is stopped is replaced."""

_GONE_WITHIN_S = 30.0

_CAP_SYS_RESOURCE = 24

_REPLACED_WITHIN_S = 60.0
"""Limits of faults are less; this ends a run in which something hangs."""


def _chosen(target: Target, kind: str, pick: float) -> psutil.Process | None:
    there = target.processes(kind)
    return there[int(pick * len(there)) % len(there)] if there else None


def _kill(kind: str, target: Target, pick: float) -> Lift:
    if (process := _chosen(target, kind, pick)) is not None:
        process.kill()
        until(lambda: not _runs(process), _GONE_WITHIN_S, f"the killed {kind} is dead")
    return nothing


def _stop(kind: str, target: Target, pick: float) -> Lift:
    process = _chosen(target, kind, pick)
    if process is None:
        return nothing
    process.suspend()
    return partial(until, lambda: not _runs(process), _REPLACED_WITHIN_S, f"a stopped {kind} ends")


def _pause(kinds: tuple[str, ...], target: Target, _pick: float) -> Lift:
    return partial(_resume, _suspended(process for k in kinds for process in target.processes(k)))


def _suspended(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            found.append(process)
    return found


def _resume(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def _pause_all(target: Target, pick: float) -> Lift:
    everything = target.family()
    models = {process.pid for process in target.processes("model process")}
    # The parent first and last: it is not to see others that are stopped.
    everything.sort(key=lambda process: process.pid != target.server.process.pid)
    stopped = _suspended(everything)

    def resume() -> None:
        _resume(reversed(stopped))
        # A model may have been about to leave.
        lasting = [process for process in stopped if process.pid not in models]
        gone = [str(process) for process in lasting if not _runs(process)]
        assert not gone, f"a server that was stopped as a whole lost {gone}"

    return resume


def _kill_parent(target: Target, _pick: float) -> Lift:
    before = target.family()
    target.kill_parent()
    until(
        lambda: not any(map(_runs, before)),
        _GONE_WITHIN_S,
        "no process is left of a server whose parent was killed",
    )
    target.start()
    return nothing


def _no_descriptors(kind: str, target: Target, pick: float) -> Lift:
    process = _chosen(target, kind, pick)
    if process is None:
        return nothing
    soft, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    lowest = next(number for number in range(soft) if number not in taken)
    process.rlimit(psutil.RLIMIT_NOFILE, (lowest, hard))

    def give_back() -> None:
        if _runs(process):
            process.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))

    return give_back


def _no_prlimit(kind: str, _target: Target) -> str:
    """If the server is root, a model's process is another user's."""
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    if kind == "model process" and os.geteuid() == 0 and not capabilities >> _CAP_SYS_RESOURCE & 1:
        return "root may not change limits of other users here (CAP_SYS_RESOURCE)"
    return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _of(kinds: dict[str, frozenset[str]], name: str, how: Callable[..., Lift]) -> list[Fault]:
    limit_s = STOP_LIMIT_S if how is _stop else KILL_LIMIT_S
    return [
        Fault(f"{name} {kind}", partial(how, kind), allowed, limit_s)
        for kind, allowed in kinds.items()
    ]


KILLS = _of(
    {
        "HTTP worker": RESETS,
        "model process": LOST,
        "fork server": frozenset(),
        "other process": frozenset(),
    },
    "kill",
    _kill,
)
STOPS = _of(
    {
        "HTTP worker": RESETS,
        "model process": LATE,
        "fork server": frozenset(),
    },
    "stop",
    _stop,
)
PROCESS_FAULTS = [
    *KILLS,
    *STOPS,
    Fault(
        "kill the parent, start again",
        _kill_parent,
        RESETS | LOST | {"refused"},
        limit_s=None,
    ),
    Fault(
        "stop the parent for a while",
        partial(_pause, ("parent",)),
        lasts_s=_PAUSE_S,
    ),
    Fault(
        "stop an other process for a while",
        partial(_pause, ("other process",)),
        lasts_s=_PAUSE_S,
    ),
    Fault("stop everything for a while", _pause_all, LATE, lasts_s=_LONG_PAUSE_S),
    *(
        Fault(
            f"no descriptors: {kind}",
            partial(_no_descriptors, kind),
            allowed,
            lasts_s=1.5,
            keeps_from_learning=kind == "HTTP worker",
            why_not=partial(_no_prlimit, kind),
        )
        for kind, allowed in {
            "parent": LOST,
            # What it accepts and cannot keep is cut.
            "HTTP worker": LOST | RESETS,
            "fork server": LOST,
            "model process": LOST,
        }.items()
    ),
]
