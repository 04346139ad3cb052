"""How many elements shapes have, and which shapes nothing has."""

from __future__ import annotations

import pytest
from tfaas_plugins.protocols.shapes import elements_of

from tfaas_core.errors import BadBody


@pytest.mark.parametrize(
    ("shape", "elements"), [([], 1), ([3], 3), ([2, 3], 6), ([0], 0), ([2, 0, 3], 0), ([1] * 32, 1)]
)
def test_elements_are_counted(shape: list[int], elements: int) -> None:
    assert elements_of(shape, "it") == elements


@pytest.mark.parametrize("shape", [[-1], [2, -3], [-2, -3], [0, -1], [-(2**63)] * 2])
def test_no_size_is_negative(shape: list[int]) -> None:
    with pytest.raises(BadBody, match="it contains one or more invalid dimensions"):
        elements_of(shape, "it")


@pytest.mark.parametrize(
    "shape", [[2**49], [2**30, 2**30], [0, 2**62], [1] * 33, [2**62] * 1_000_000]
)
def test_no_machine_holds_so_many(shape: list[int]) -> None:
    with pytest.raises(BadBody, match="it causes total element count to exceed maximum size"):
        elements_of(shape, "it")
