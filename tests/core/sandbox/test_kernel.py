"""Calls that the kernel refuses are errors, whatever their functions return."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tfaas_core.sandbox.bpf import Is, program
from tfaas_core.sandbox.calls import CALLS
from tfaas_core.sandbox.kernel import capset, prctl, system_call


@pytest.mark.parametrize(
    "call",
    [
        lambda: prctl(-1, 0),
        lambda: capset(bytes(8), bytes(24)),
        lambda: system_call("landlock_restrict_self", -1, 0),
    ],
    ids=["prctl", "capset", "syscall"],
)
def test_what_is_refused_is_an_error(call: Callable[[], object]) -> None:
    with pytest.raises(OSError, match=r"^\[Errno \d+\] \w+"):
        call()


@pytest.mark.parametrize("column", [0, 1])
def test_no_two_calls_have_the_same_number(column: int) -> None:
    numbers = [number for row in CALLS.values() if (number := row[column]) is not None]
    assert len(set(numbers)) == len(numbers)


def test_a_program_is_as_long_as_its_rules_and_no_jump_leaves_it() -> None:
    code = program(1, {5: [[Is(0, (1, 2)), Is(1, (3,))], []]}, [6, 7])
    lines = [code[start : start + 8] for start in range(0, len(code), 8)]
    assert len(code) % 8 == 0
    for place, line in enumerate(lines):
        if line[0] & 0x7 == 0x5:
            assert place + 1 + max(line[2], line[3]) < len(lines)
