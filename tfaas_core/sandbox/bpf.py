"""Programs of classic BPF, as seccomp runs them on each system call of a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct as Layout
from typing import TypeAlias

import msgspec

_INSTRUCTION = Layout("=HBBI")
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_EQUAL, _AT_LEAST = 0x15, 0x35

_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
"""Where a call's description, ``struct seccomp_data``, holds what."""

_FOREIGN_NUMBERS = 0x4000_0000
"""From here on, x86-64 has its calls a second time, for programs of 32-bit pointers."""

_ALLOW, _KILL = 0x7FFF_0000, 0x8000_0000
_FAIL = 0x0005_0000
_EPERM = 1
_ENOSYS = 38
"""What a C library expects of a call that the kernel lacks: then it goes another way."""


class Is(msgspec.Struct, frozen=True):
    """A condition: an argument's lower 32 bits, or those of ``mask``, are one of ``values``."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF


class IsNot(msgspec.Struct, frozen=True):
    """A condition: an argument's lower 32 bits are another number than this."""

    argument: int
    value: int


class IsNull(msgspec.Struct, frozen=True):
    """A condition: an argument is a null pointer."""

    argument: int


Condition: TypeAlias = Is | IsNot | IsNull
Ways: TypeAlias = Sequence[Sequence[Condition]]
"""Alternatives; one of them holds if all of its conditions do."""

_Code: TypeAlias = list[tuple[int, int, int, int]]


def program(machine: int, rules: Mapping[int, Ways], free: Sequence[int]) -> bytes:
    """Allows the calls of these numbers: those of ``free`` always, others in one of their ways.

    All else fails with ENOSYS, as if the kernel lacked it, but for what another kind of
    processor than ``machine`` would call: that ends the process.
    """
    code = _native(machine)
    for number, ways in rules.items():
        code += _if_equal(number, _ways(ways, _ENOSYS))
    for number in free:
        code += _if_equal(number, [(_RETURN, 0, 0, _ALLOW)])
    code.append(_refusal(_ENOSYS))
    return _packed(code)


def denying_program(
    machine: int, rules: Mapping[int, Ways], absent: Sequence[int], first_unknown: int
) -> bytes:
    """Allows all calls but some: those of ``rules`` are allowed in their ways alone.

    Otherwise these fail with EPERM; ``absent``, and all from ``first_unknown`` on, fail with
    ENOSYS, as if the kernel lacked them. What another kind of processor than ``machine`` would call
    ends the process.
    """
    code = _native(machine)
    for number, ways in rules.items():
        code += _if_equal(number, _ways(ways, _EPERM))
    for number in absent:
        code += _if_equal(number, [_refusal(_ENOSYS)])
    code += [(_AT_LEAST, 0, 1, first_unknown), _refusal(_ENOSYS), (_RETURN, 0, 0, _ALLOW)]
    return _packed(code)


def _native(machine: int) -> _Code:
    """Ends the process if the call is another processor's; else the call's number is loaded."""
    return [
        *[(_LOAD, 0, 0, _MACHINE_AT), (_EQUAL, 1, 0, machine), (_RETURN, 0, 0, _KILL)],
        *[(_LOAD, 0, 0, _NUMBER_AT), (_AT_LEAST, 0, 1, _FOREIGN_NUMBERS), (_RETURN, 0, 0, _KILL)],
    ]


def _packed(code: _Code) -> bytes:
    return b"".join(_INSTRUCTION.pack(*line) for line in code)


def _ways(ways: Ways, otherwise: int) -> _Code:
    return [*(line for way in ways for line in _way(way)), _refusal(otherwise)]


def _refusal(errno: int) -> tuple[int, int, int, int]:
    return _RETURN, 0, 0, _FAIL | errno


def _if_equal(number: int, block: _Code) -> _Code:
    return [(_EQUAL, 0, len(block), number), *block]


def _way(conditions: Sequence[Condition]) -> _Code:
    """Allows the call if all hold; otherwise, what stands behind it decides."""
    code: _Code = [(_RETURN, 0, 0, _ALLOW)]
    for condition in reversed(conditions):
        code = [*_test(condition, len(code)), *code]
    return code


def _test(condition: Condition, rest: int) -> _Code:
    """Skips ``rest`` lines if the condition does not hold."""
    low_at = _ARGUMENTS_AT + 8 * condition.argument
    match condition:
        case Is():
            count = len(condition.values)
            tests = [
                (_EQUAL, count - 1 - place, rest if place == count - 1 else 0, value)
                for place, value in enumerate(condition.values)
            ]
            return [(_LOAD, 0, 0, low_at), (_AND, 0, 0, condition.mask), *tests]
        case IsNot():
            return [(_LOAD, 0, 0, low_at), (_EQUAL, rest, 0, condition.value)]
        case IsNull():
            low, high = (_LOAD, 0, 0, low_at), (_LOAD, 0, 0, low_at + 4)
            return [low, (_EQUAL, 0, rest + 2, 0), high, (_EQUAL, 0, rest, 0)]
