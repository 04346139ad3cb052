"""The filters decide the same on both kinds of processor, of which tests run on one alone."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from tfaas_core.sandbox.calls import CALLS
from tfaas_core.sandbox.confine import LIFELINE
from tfaas_core.sandbox.kernel import machine
from tfaas_core.sandbox.seccomp import ITSELF, fork_server_filter, model_filter
from tfaas_core.sandbox.worker_calls import worker_filter

_FILTERS: dict[str, Callable[[], bytes]] = {
    "model": lambda: model_filter(LIFELINE, executable_pages=True),
    "model without code": lambda: model_filter(LIFELINE, executable_pages=False),
    "fork server": fork_server_filter,
    "worker": lambda: worker_filter(programs=False),
    "worker that starts programs": lambda: worker_filter(programs=True),
}
_ARGUMENTS = (
    *((0,) * 6, (1, 2, 3, 4, 5, 6), (LIFELINE, 1, 0, 2, 0, 0), (ITSELF, 9, 0, 0, 0, 0)),
    *((0, 0, 0o101, 0o4755, 0, 0), (0, 0o4755, 0o4755, 0, 0, 0), (0x10F00, 0, 0, 0, 0, 0)),
    *((0x1000_0000, 0, 0, 0, 0, 0), (0, 0x5412, 0, 0, 0, 0), (0xFFFF_FFFF, 8, 0, 0, 0, 0)),
    *((0, 4096, 3, 0x22, 0, 0), (0, 4096, 7, 0x22, 0, 0), (0, 4096, 5, 2, 7, 0)),
)

_ALLOWED, _KILLED = 0x7FFF_0000, 0x8000_0000


def verdict(code: bytes, audit: int, number: int, arguments: Sequence[int]) -> int:
    """What the kernel would do with a call: a run of the program, as classic BPF has it."""
    described = struct.pack("=IIQ6Q", number, audit, 0, *arguments)
    lines = list(struct.iter_unpack("=HBBI", code))
    place = loaded = 0
    while True:
        operation, if_so, if_not, value = lines[place]
        place += 1
        match operation:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", described, value)
            case 0x54:
                loaded &= value
            case 0x15:
                place += if_so if loaded == value else if_not
            case 0x35:
                place += if_so if loaded >= value else if_not
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"no such operation: {operation:#x}")


def verdicts(
    monkeypatch: pytest.MonkeyPatch, processor: str, make: Callable[[], bytes]
) -> dict[str, list[int]]:
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=processor))
    here = machine()
    assert here is not None
    code = make()
    assert verdict(code, here.audit + 1, 0, _ARGUMENTS[0]) == _KILLED
    assert verdict(code, here.audit, 0x4000_0000, _ARGUMENTS[0]) == _KILLED
    numbers = {name: row[here.column] for name, row in CALLS.items()}
    return {
        name: [verdict(code, here.audit, number, arguments) for arguments in _ARGUMENTS]
        for name, number in numbers.items()
        if number is not None
    }


@pytest.mark.parametrize("kind", _FILTERS)
def test_the_same_calls_are_allowed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    x86 = verdicts(monkeypatch, "x86_64", _FILTERS[kind])
    aarch64 = verdicts(monkeypatch, "aarch64", _FILTERS[kind])
    assert aarch64.keys() < x86.keys()
    assert {name: x86[name] for name in aarch64} == aarch64


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_what_starts_processes_or_reaches_them_is_refused_on_both(
    monkeypatch: pytest.MonkeyPatch, processor: str
) -> None:
    names = {"execve", "execveat", "ptrace", "process_vm_readv", "bpf", "unshare", "io_uring_setup"}
    for kind in ("model", "fork server", "worker"):
        found = verdicts(monkeypatch, processor, _FILTERS[kind])
        assert all(_ALLOWED not in found[name] for name in names), kind
        assert set(found["read"]) == {_ALLOWED}
