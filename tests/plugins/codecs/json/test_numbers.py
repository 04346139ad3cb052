from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.document import NUMBERS
from tfaas_plugins.codecs.json.numbers import read_with_numbers
from tfaas_plugins.codecs.values.number_lists import NumberLists

PADDING = '{"note": "' + "," * 5000 + '", '


def fields_of(text: str) -> dict[str, Any] | None:
    """Of an object, with as many commas before it as if it began with many numbers."""
    return read_with_numbers(text.replace("{", PADDING, 1).encode(), NUMBERS)


def numbers_of(values: str) -> NumberLists | None:
    fields = fields_of(f'{{"model": "vk", "values": {values}}}')
    if fields is None:
        return None
    assert fields["model"] == "vk"
    assert isinstance(fields["values"], NumberLists)
    return fields["values"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ("[1, 2, 3]", np.int64),
        ("[[1, -2], [3, 9223372036854775807]]", np.int64),
        ("[[1, -2], [3, 9223372036854775808]]", np.float64),
        ("[[1, 2], [3, 4.5]]", np.float64),
        ("[[0.1, 1e-320], [-0.0, 1.7976931348623157e308]]", np.float64),
        ("[[[1.5], [2]], [[3], [4]]]", np.float64),
    ],
)
def test_lists_of_numbers_become_an_array(values: str, dtype: type[Any]) -> None:
    numbers = numbers_of(values)
    assert numbers is not None
    lists = json.loads(values)
    assert numbers.array.dtype == dtype
    assert numbers.array.tobytes() == np.array(lists, dtype).tobytes()
    assert numbers.array.shape == np.shape(lists)
    assert numbers.lists() == lists


@pytest.mark.parametrize(
    "values",
    [
        *("[]", "[[]]", "[[1], []]", "[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[[1, [2]], [3, 4]]"),
        *("[true]", "[1, null]", '["1"]', '[{"b64": "AA=="}]', "[[1, 2], [3, {}]]"),
        *("[1e999]", "[1" + 30 * "0" + "]", "[01]", "[NaN]", "[1,]", "[1", "[1]]"),
    ],
)
def test_anything_else_is_left_to_orjson(values: str) -> None:
    assert numbers_of(values) is None


SHORT = ["[1.5, 2]"] * 3000
"""So many lists that it takes less to look at brackets and commas than at each list."""


def test_many_short_lists_are_an_array_too() -> None:
    for values in (SHORT, ["[ [1], [ 2.5 ] ]"] * 3000, ["[3]"] * 5000):
        text = f"[{', '.join(values)}]"
        numbers = numbers_of(text)
        assert numbers is not None
        assert numbers.array.tolist() == json.loads(text)


@pytest.mark.parametrize(
    "odd",
    [
        *(("[1.5]", "[1, 2, 3]"), ("[1, 2, 3]", "[1.5]"), ("[]", "[1, 2]"), ("[1]", "[2]")),
        *(
            ("[1, [2]]", "[1.5, 2]"),
            ("[[1], 2]", "[3, 4]"),
            ("1, 2", "[3, 4]"),
            ("[1, [2, 3]]", "4"),
        ),
        *(("[1, null]", "[1, 2]"), ('[1, "2"]', "[1, 2]"), ("[1, {}]", "[1, 2]")),
        *(("[1, 2", "3, 4]"), ("[1, 2]]", "[[3, 4]"), ("[[1, 2]", "[3, 4]]")),
    ],
)
def test_one_among_them_that_is_otherwise_is_found(odd: tuple[str, str]) -> None:
    values = [*SHORT[:1000], *odd, *SHORT[1002:]]
    assert numbers_of(f"[{', '.join(values)}]") is None
    swapped = [*SHORT[:-2], *reversed(odd)]
    assert numbers_of(f"[{', '.join(swapped)}]") is None


def test_short_lists_of_which_some_are_empty_are_no_array() -> None:
    assert numbers_of(f"[{', '.join(['[1]', '[]', '[2, 3]'] * 2000)}]") is None
    assert numbers_of(f"[{', '.join(['[1]', *['[]'] * 2000])}]") is None


def test_lists_that_begin_deep_are_no_array_of_as_many_axes() -> None:
    """The form of such an array would take gigabytes."""
    deep = "[" * 300 + "1" + "]" * 300
    assert numbers_of(f"[{deep}, {', '.join(['[1]'] * 20_000)}]") is None


@pytest.mark.parametrize(
    "text",
    [
        '{"values": [1], "values": [2]}',
        '{"inputs": {"x": [1], "x": [2]}}',
        '{"inputs": {"x": 1, "x": 2}}',
        # One bracket that is not there for one that is not counted.
        r'{"model": "\u005b", "values": [1, [2], 3]}',
        '[{"values": [1]}, {}',
        '{"values": [1], "other": ' + "[" * 500 + "]" * 500 + "}",
    ],
)
def test_so_is_what_the_two_libraries_read_differently(text: str) -> None:
    assert fields_of(text + "}" * (not text.endswith("}"))) is None


def test_inputs_are_read_by_name_and_other_fields_as_they_are() -> None:
    fields = fields_of(
        '{"inputs": {"x": [[1, 2]], "rate": 0.5}, "keys": ["[a", "b]"], "label": null, '
        '"other": {"deep": []}}'
    )
    assert fields is not None
    assert fields["inputs"]["x"].lists() == [[1, 2]]
    assert fields["inputs"]["rate"] == 0.5
    assert (fields["keys"], fields["label"]) == (["[a", "b]"], None)
    assert fields["other"] == {"deep": []}


@pytest.mark.parametrize(
    ("values", "sooner"),
    [
        ([[1, 2]], "orjson"),
        ([[0.5] * 42] * 10, "orjson"),
        (["-" * 42] * 100, "orjson"),
        (["-"] * 20_000, "orjson"),
        ([[0.5] * 42] * 30, "simdjson"),
        ([1] * 10_000, "simdjson"),
        ([[1]] * 20_000, "simdjson"),
    ],
)
def test_many_numbers_are_read_sooner_by_simdjson(values: list[Any], sooner: str) -> None:
    fields = read_with_numbers(json.dumps({"model": "vk", "values": values}).encode(), NUMBERS)
    assert (fields is None) is (sooner == "orjson")


@pytest.mark.parametrize(("inputs", "length", "sooner"), [(20, 50, "orjson"), (2, 500, "simdjson")])
def test_many_inputs_of_a_few_numbers_each_are_read_sooner_by_orjson(
    inputs: int, length: int, sooner: str
) -> None:
    sent = {f"input{place}": [[0.123456] * length] for place in range(inputs)}
    fields = read_with_numbers(json.dumps({"inputs": sent}).encode(), NUMBERS)
    assert (fields is None) is (sooner == "orjson")
