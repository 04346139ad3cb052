"""Quick writes: Structs whose fields are written on the way of each request."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

S = TypeVar("S", bound=type[msgspec.Struct])


def quick_to_write(struct: S) -> S:
    """Has fields of ``struct``, which is neither frozen nor garbage-collected, written as slots.

    A Struct's own way to write one has the garbage collector look at the value, for which there is
    no need here, and keeps the interpreter from what it does with slots: it takes three times as
    long.
    """
    assert not struct.__struct_config__.gc
    assert not struct.__struct_config__.frozen
    # Both, or neither: they are one slot of the type. It is not the same in the body of a class.
    plain: Any = struct
    plain.__setattr__ = object.__setattr__
    plain.__delattr__ = object.__delattr__
    return struct
