from __future__ import annotations

import pytest

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.texts.json_text import read_json, read_object


def test_json_is_read() -> None:
    assert read_json(b"[1, null]", "it") == [1, None]
    assert read_object(b'{"a": 1}', "it") == {"a": 1}


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'"\xff"', b"[" * 100_000, b"nan"])
def test_what_is_not_json_is_named(text: bytes) -> None:
    with pytest.raises(BadBody, match=r"^the body is not JSON: ") as raised:
        read_json(text, "the body", field="x")
    assert raised.value.details == {"field": "x"}


@pytest.mark.parametrize("text", [b"[]", b"null", b'"a"', b"1"])
def test_what_is_no_object_is_refused_with_an_example_of_one(text: bytes) -> None:
    with pytest.raises(DoesNotFit) as raised:
        read_object(text, "the body", like='{"version": 3}')
    assert raised.value.message == 'the body is not a JSON object; send one like {"version": 3}'
    assert raised.value.details == {}
