from __future__ import annotations

import pytest

from tfaas_core.fields import Fields, Headers


def test_a_plain_look_up_gives_the_first_value() -> None:
    fields = Fields([("a", "1"), ("b", "2"), ("a", "3")])
    assert (fields["a"], fields.get("a"), fields.get("c"), fields.get("c", "")) == (
        "1",
        "1",
        None,
        "",
    )
    assert dict(fields) == {"a": "1", "b": "2"}
    assert "a" in fields
    assert "A" not in fields
    assert len(fields) == 2


def test_repeated_names_are_all_there_in_order() -> None:
    pairs = (("a", "1"), ("b", "2"), ("a", "3"))
    assert Fields(pairs).pairs == pairs
    assert Fields(pairs).all("a") == ("1", "3")
    assert Fields(pairs).all("c") == ()


def test_headers_are_looked_up_in_any_case() -> None:
    headers = Headers([("Content-Type", "a/b"), ("CONTENT-TYPE", "c/d")])
    assert headers["content-type"] == headers["Content-Type"] == headers.get("CONTENT-type")
    assert headers.all("content-Type") == ("a/b", "c/d")
    assert "Content-type" in headers
    assert list(headers) == ["content-type"]


def test_they_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        Fields([("a", "1")])["a"] = "2"  # type: ignore[index]
    with pytest.raises(AttributeError):
        Fields().more = 1  # type: ignore[attr-defined]
