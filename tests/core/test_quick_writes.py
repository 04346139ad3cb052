"""Structs whose fields are written as slots are Structs as others."""

from __future__ import annotations

import msgspec
import pytest

from tfaas_core.http.express import PlainRequest
from tfaas_core.quick_writes import quick_to_write
from tfaas_core.visit import Visit


@quick_to_write
class Noted(msgspec.Struct, gc=False):
    name: str = ""
    rows: int | None = None


def test_a_field_that_is_written_is_read_compared_and_encoded() -> None:
    noted = Noted()
    noted.name, noted.rows = "vk", 3
    assert noted == Noted("vk", 3)
    assert msgspec.json.decode(msgspec.json.encode(noted), type=Noted) == noted
    assert msgspec.structs.replace(noted, rows=4) == Noted("vk", 4)


def test_there_is_no_other_field() -> None:
    with pytest.raises(AttributeError, match="colour"):
        Noted().colour = "red"  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [{"frozen": True, "gc": False}, {}], ids=["frozen", "gc"])
def test_it_is_not_for_what_is_frozen_or_garbage_collected(options: dict[str, bool]) -> None:
    other = msgspec.defstruct("Other", [("name", str)], **options)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        quick_to_write(other)


@pytest.mark.parametrize("struct", [Visit, PlainRequest])
def test_what_each_request_writes_is_written_so(struct: type[msgspec.Struct]) -> None:
    assert struct.__setattr__ is object.__setattr__
    assert struct.__delattr__ is object.__delattr__
