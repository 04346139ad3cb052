"""The picture of a usual request is decoded once, and by few steps where it can be."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from PIL import Image
from tfaas_plugins.codecs.image import usual_png
from tfaas_plugins.codecs.image.usual_png import UsualPng

from tests.plugins.codecs.image.images import file, gradient, make_codec, taking
from tfaas_core.route import Head
from tfaas_core.tensors import Array

T = TypeVar("T")


class NoMemory:
    @staticmethod
    def new(*_: object) -> None:
        raise MemoryError


def inputs_of(side: int) -> Callable[[], list[Array] | None]:
    """What makes them of a picture, for a model that takes colours of this size."""
    codec, png = make_codec(), file(gradient(side, side))
    usual = codec.usual(png, Head.of_type("image/png"))
    plan = codec.usual_plan(taking(None, side, side, 3))
    assert usual is not None
    assert plan is not None
    return partial(plan.inputs, usual)


def counted(way: Callable[[UsualPng], T], calls: list[UsualPng]) -> Callable[[UsualPng], T]:
    def counting(png: UsualPng) -> T:
        calls.append(png)
        return way(png)

    return counting


@pytest.mark.parametrize("side", [73, 74])
def test_it_is_decoded_once_however_many_bytes_its_numbers_are(
    monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    decoded: list[UsualPng] = []
    for name in ("values", "decoded"):
        monkeypatch.setattr(UsualPng, name, counted(getattr(UsualPng, name), decoded))
    assert inputs_of(side)() is not None
    assert len(decoded) == 1


def test_one_for_which_there_is_no_memory_is_left_to_the_codec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = inputs_of(2)
    monkeypatch.setattr(usual_png, "_CORE", NoMemory)
    monkeypatch.setattr(Image, "frombytes", NoMemory.new)
    assert inputs() is None
