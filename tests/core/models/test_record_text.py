"""Records as storages keep them, with the checksum of themselves."""

from __future__ import annotations

import msgspec
import pytest

from tfaas_core.models.record_text import record_text, record_value
from tfaas_core.models.versions import Pointers

POINTERS = Pointers((1, 3, 12), {"canary": 12, "gr\xfcn": 3})


def test_what_was_written_is_read() -> None:
    text = record_text(POINTERS)
    assert record_value(text, Pointers) == record_value(text.decode(), Pointers) == POINTERS
    assert msgspec.json.decode(text, type=Pointers) == POINTERS


def test_a_record_without_a_checksum_is_taken() -> None:
    assert record_value(msgspec.json.encode(POINTERS), Pointers) == POINTERS


@pytest.mark.parametrize("bit", [0x01, 0x10, 0x80])
def test_a_flipped_bit_is_noticed_or_changes_nothing(bit: int) -> None:
    text = record_text(POINTERS)
    checked = len(msgspec.json.encode(POINTERS)) - 1
    for at in range(len(text)):
        damaged = bytearray(text)
        damaged[at] ^= bit
        try:
            assert record_value(bytes(damaged), Pointers) == POINTERS
            assert at >= checked
        except msgspec.DecodeError:
            pass


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b'{"labels":{"\xff":1}}', b"[" * 9999])
def test_what_is_no_record_is_a_decode_error(broken: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        record_value(broken, Pointers)
