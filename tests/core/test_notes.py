"""What was worked out of something that many requests share is kept with it."""

from __future__ import annotations

import pytest

from tfaas_core.notes import noted
from tfaas_core.route import Head
from tfaas_core.testing.models import model_version


def test_it_is_made_once_for_each_owner() -> None:
    made: list[str] = []

    def path_of(head: Head) -> str:
        made.append(head.raw_path)
        return head.raw_path.upper()

    first, second = Head(raw_path="/a"), Head(raw_path="/b")
    assert [noted(each, path_of) for each in (first, second, first, second)] == [
        *("/A", "/B", "/A", "/B")
    ]
    assert made == ["/a", "/b"]


def test_several_keep_what_they_like_of_one_owner() -> None:
    version = model_version(name="vk", version=3)
    assert noted(version, lambda each: each.name) == "vk"
    assert noted(version, lambda each: each.version) == 3


def test_what_is_raised_is_not_kept() -> None:
    answers = iter([ValueError("not yet"), "now"])

    def ask(_: Head) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    head = Head()
    with pytest.raises(ValueError, match="not yet"):
        noted(head, ask)
    assert noted(head, ask) == noted(head, ask) == "now"


def test_notes_make_no_difference_to_what_an_owner_is() -> None:
    head = Head(raw_path="/a")
    noted(head, id)
    assert head == Head(raw_path="/a")
