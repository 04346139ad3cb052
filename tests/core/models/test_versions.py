"""Which versions of a model are live and labelled, and what roll-back goes back to."""

from __future__ import annotations

from typing import Any

import pytest

from tfaas_core.errors import DoesNotFit, UnknownVersion
from tfaas_core.models.versions import MAX_NUMBER, Model, Pointers, check_number, number_of
from tfaas_core.testing.models import model_version


def model(*numbers: int, pointers: Pointers | None = None) -> Model:
    versions = [model_version(version=number) for number in numbers]
    return Model.of(versions, pointers or Pointers())


def live_one_after_another(*numbers: int) -> Pointers:
    pointers = Pointers()
    for number in numbers:
        pointers = pointers.with_live(number)
    return pointers


# Pointers.


@pytest.mark.parametrize(
    ("went_live", "history"),
    [
        ((), ()),
        ((1,), (1,)),
        ((1, 2, 3), (1, 2, 3)),
        ((1, 2, 3, 2), (1, 2)),
        ((1, 2, 3, 2, 4), (1, 2, 4)),
        ((1, 2, 3, 1, 3), (1, 3)),
        ((1, 2, 3, 3), (1, 2, 3)),
    ],
)
def test_the_history_is_what_roll_back_can_return_to(
    went_live: tuple[int, ...], history: tuple[int, ...]
) -> None:
    pointers = live_one_after_another(*went_live)
    assert pointers.history == history
    assert pointers.live == (history[-1] if history else 0)


def test_the_live_and_the_labelled_versions_are_kept_and_no_others() -> None:
    pointers = live_one_after_another(1, 2, 3, 4).with_label("a", 1).with_label("b", 1)
    assert pointers.kept == {1, 4}
    assert Pointers().kept == set()


def test_a_label_names_one_version_at_a_time() -> None:
    first = Pointers((1, 2)).with_label("canary", 1)
    second = first.with_label("canary", 2).with_label("old", 1)
    assert first.labels == {"canary": 1}
    assert second.labels == {"canary": 2, "old": 1}
    assert second.without_label("canary").labels == {"old": 1}
    assert second.without_label("nothing") == second
    assert second.without_label("canary").history == (1, 2)


def test_pointers_to_versions_that_are_gone_are_dropped() -> None:
    pointers = Pointers((1, 2, 4), {"a": 1, "b": 4})
    assert pointers.among([1, 2, 3]) == Pointers((1, 2), {"a": 1})
    assert pointers.among([3, 5]) == Pointers((5,), {})
    assert pointers.among([]) == Pointers()


# Models.


def test_versions_are_in_ascending_order_whatever_order_they_were_found_in() -> None:
    found = model(10, 2, 9)
    assert [version.version for version in found.versions] == [2, 9, 10]
    assert (found.name, found.newest.version, found.live.version) == ("vk", 10, 10)


def test_a_version_is_found_by_its_number() -> None:
    assert model(1, 2, 3).version(2).version == 2
    with pytest.raises(UnknownVersion) as caught:
        model(1, 3).version(2)
    assert caught.value.message == "model 'vk' has no version 2; there are: 1, 3"
    assert caught.value.details == {"model": "vk", "expected": [1, 3], "got": 2}


def test_a_version_is_found_by_its_label() -> None:
    pointers = Pointers((1, 2), {"canary": 1})
    assert model(1, 2, pointers=pointers).labelled("canary").version == 1
    with pytest.raises(UnknownVersion) as caught:
        model(1, 2, pointers=pointers).labelled("x" * 999)
    assert caught.value.message.endswith("x'; there are: canary")
    assert len(caught.value.message) < 250
    with pytest.raises(UnknownVersion, match="there are: none"):
        model(1).labelled("canary")


def test_roll_back_walks_back_through_what_was_live() -> None:
    went_live = live_one_after_another(1, 3, 4)
    walked = []
    for _ in range(2):
        went_live = went_live.with_live(model(1, 2, 3, 4, pointers=went_live).before_live().version)
        walked.append(went_live.live)
    assert walked == [3, 1]
    with pytest.raises(UnknownVersion, match="no version before 1, the live one"):
        model(1, 2, 3, 4, pointers=went_live).before_live()


def test_where_no_other_was_live_roll_back_goes_to_the_next_lower_number() -> None:
    assert model(1, 3, 5, pointers=Pointers((5,))).before_live().version == 3
    with pytest.raises(UnknownVersion):
        model(3, 5, pointers=Pointers((3,))).before_live()


def test_roll_back_passes_over_versions_that_are_gone() -> None:
    assert model(1, 3, pointers=Pointers((1, 2, 3))).before_live().version == 1


# Numbers.


@pytest.mark.parametrize("number", [1, 2, MAX_NUMBER])
def test_numbers_are_read_as_integers_and_as_text(number: int) -> None:
    assert check_number(number) == number_of(str(number)) == number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (-1, "-1"),
        (True, "true"),
        (None, "null"),
        (3.0, "3.0"),
        (float("nan"), "nan"),
        ("3", "'3'"),
        ("\n" * 99, repr("\n" * 40)),
        ([1], "no number"),
        ({}, "no number"),
        (b"3", "no number"),
        (MAX_NUMBER + 1, str(MAX_NUMBER + 1)),
        (10**4000, "10000000000000000000..."),
    ],
)
def test_what_is_no_number_of_a_version_is_said(value: Any, shown: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        check_number(value)
    assert caught.value.message.startswith(f"version is {shown}, send ")
    assert caught.value.details == {"field": "version"}


@pytest.mark.parametrize(
    "text", ["", "0", "00", "03", "-1", "+1", " 1", "1 ", "1.0", "1e3", "²", "٣", "x", "9" * 5000]
)
def test_text_that_is_no_number_of_a_version_is_said(text: str) -> None:
    with pytest.raises(DoesNotFit, match=r"^version is '?.*, send "):
        number_of(text)
