from __future__ import annotations

from typing import Any

import pytest

from tfaas_core.texts.spelling import respelled

KNOWN = ("model", "inputNode", "input_node")


@pytest.mark.parametrize("name", ["Model", "MODEL", "mOdEl"])
def test_the_case_of_a_name_does_not_matter(name: str) -> None:
    assert respelled({name: "vk"}, KNOWN) == {"model": "vk"}


def test_each_name_is_put_into_the_case_that_is_known() -> None:
    sent = {"INPUTNODE": "x", "Input_Node": "y"}
    assert respelled(sent, KNOWN) == {"inputNode": "x", "input_node": "y"}


def test_an_unknown_name_stays_as_it_is() -> None:
    assert respelled({"Owner": "me", "input-node": "x"}, KNOWN) == {
        "Owner": "me",
        "input-node": "x",
    }


@pytest.mark.parametrize("sent", [{"model": "a", "Model": "b"}, {"Model": "b", "model": "a"}])
def test_the_exact_name_wins_and_the_other_is_kept(sent: dict[str, str]) -> None:
    assert respelled(sent, KNOWN) == {"model": "a", "Model": "b"}


@pytest.mark.parametrize("empty", [None, ""])
def test_an_exact_name_that_says_nothing_does_not_win(empty: Any) -> None:
    assert respelled({"model": empty, "Model": "b"}, KNOWN) == {"model": "b"}
    assert respelled({"Model": "b", "model": empty}, KNOWN) == {"model": "b"}


def test_of_several_wrong_cases_the_last_counts() -> None:
    assert respelled({"Model": "a", "MODEL": "b"}, KNOWN) == {"model": "b"}
