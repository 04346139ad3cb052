"""Many numbers are read at once, and as they would be one by one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.json.numbers import read_with_numbers
from tfaas_plugins.codecs.json.places import NOWHERE
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.protocols.json_text import read
from tfaas_plugins.protocols.oip.datatypes import datatype_of
from tfaas_plugins.protocols.oip.infer import requests as oip
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.requests import infer_body
from tfaas_plugins.protocols.tfserving import tensors as tfserving

from tfaas_core.errors import BadBody
from tfaas_core.models.model import ModelVersion
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version

DTYPES = ("float32", "float64", "float16", "int8", "int64", "uint8", "uint64", "bool", "string")
NUMBERS: dict[str, Callable[[random.Random], Any]] = {
    "floats": lambda dice: dice.uniform(-1e5, 1e5),
    "integers": lambda dice: dice.randrange(128),
    "long integers": lambda dice: dice.randrange(-(2**63), 2**63),
    "longer integers": lambda dice: dice.randrange(2**64),
    "both": lambda dice: dice.choice([1.5, 2**53 + 1]),
    "words": lambda dice: dice.choice([float("nan"), float("inf"), -float("inf"), 1]),
    "huge": lambda dice: dice.choice([1e308, -1e39]),
}
PLACES = {"tfserving": tfserving.NUMBERS, "oip": oip.NUMBERS}


def version_of(dtype: str) -> ModelVersion:
    return model_version((TensorSpec("x", dtype, None),))


def ask_columns(found: Any, version: ModelVersion) -> Array:
    return tfserving.values_of(found, version.signature).arrays["x"]


def ask_oip(found: Any, version: ModelVersion) -> Array:
    body = infer_body(found, memoryview(b""))
    return arrays_of(body, version, Allowance(Limits()))["x"]


def requests(dtype: str, values: Any) -> dict[str, Any]:
    spec = TensorSpec("x", dtype, None)
    shape = list(np.shape(values))
    tensor = {"name": "x", "datatype": datatype_of(spec), "shape": shape, "data": values}
    return {
        "instances": {"instances": values},
        "inputs": {"inputs": values},
        "named": {"inputs": {"x": values}},
        "named row": {"instances": [{"x": values}]},
        "oip": {"inputs": [tensor]},
    }


def outcome(how: str, body: bytes, dtype: str, quick: bool) -> tuple[str, bytes, Any]:
    numbers = PLACES["oip" if how == "oip" else "tfserving"] if quick else NOWHERE
    ask = ask_oip if how == "oip" else ask_columns
    try:
        array = ask(read(body, Limits(), numbers), version_of(dtype))
    except BadBody as error:
        return error.message, b"", ()
    shown = str(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return str(array.dtype), shown, array.shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", NUMBERS)
def test_they_are_the_same_as_one_by_one(dtype: str, kind: str) -> None:
    dice = random.Random(kind)
    values = [NUMBERS[kind](dice) for _ in range(4000)]
    wide = [values[at : at + 2000] for at in (0, 2000)]
    for sent in (values, wide, [*values[:3999], "x"], [*wide[:1], wide[1][:5]]):
        whole = sent is values or sent is wide
        for how, document in requests(dtype, sent if whole else values).items():
            text = json.dumps(document)
            if not whole:
                text = text.replace(json.dumps(values), json.dumps(sent))
            body = text.encode()
            assert outcome(how, body, dtype, True) == outcome(how, body, dtype, False)


@pytest.mark.parametrize("word", ["1", "NaN"])
@pytest.mark.parametrize("how", ["instances", "inputs", "named", "named row", "oip"])
def test_no_object_is_made_for_each(how: str, word: str) -> None:
    document = requests("float32", [1.5] * 4000)[how]
    body = json.dumps(document).replace("1.5]", f"{word}]").encode()
    found = read(body, Limits(), PLACES["oip" if how == "oip" else "tfserving"])
    held = {
        "instances": lambda: found["instances"],
        "inputs": lambda: found["inputs"],
        "named": lambda: found["inputs"]["x"],
        "named row": lambda: found["instances"][0]["x"],
        "oip": lambda: found["inputs"][0]["data"],
    }[how]()
    assert isinstance(held, NumberLists)
    assert str(held.array[-1]) in ("1.0", "nan")


ROW = [0.5] * 2000


@pytest.mark.parametrize(
    "rows",
    [
        [{"x": ROW}, {"x": [1] * 2000}],
        [{"x": ROW}, {"x": ROW[1:]}],
        [{"x": ROW}, {"x": [ROW]}],
        [{"x": ROW}, {"x": 1}],
        [{"x": 1}, {"x": ROW}],
        [{"x": ROW}, {"y": ROW}],
        [{"x": ROW}, {"x": ROW, "y": ROW}],
        [{"x": ROW}, ROW],
        [ROW, {"x": ROW}],
        [{"x": ROW}, {"x": {"b64": "aGk="}}],
        [{"x": ROW}, 3],
        [{"x": ROW}, {}],
        [{"x": ROW}] * 100,
    ],
)
def test_rows_by_name_are_the_same_as_one_by_one(rows: list[Any]) -> None:
    body = json.dumps({"instances": rows}).encode()
    for dtype in DTYPES:
        quick = outcome("named row", body, dtype, True)
        assert quick == outcome("named row", body, dtype, False)


def test_of_rows_by_name_no_object_is_made_for_each_number() -> None:
    rows = [{"x": ROW, "y": [ROW]}, {"x": ROW, "y": [ROW]}]
    found = read(json.dumps({"instances": rows}).encode(), Limits(), tfserving.NUMBERS)
    assert all(type(value) is NumberLists for row in found["instances"] for value in row.values())


@pytest.mark.parametrize(
    ("how", "before"),
    [("instances", '{"instances": [{"x": [1.5]}, '), ("oip", '{"inputs": ')],
)
def test_numbers_in_a_wrong_place_are_not_gone_through(how: str, before: str) -> None:
    many = json.dumps([1] * 20_000)
    body = f"{before}{many}{']' * before.count('[{')}}}".encode()
    places = PLACES["oip" if how == "oip" else "tfserving"]
    assert read_with_numbers(body, places) is None


@pytest.mark.parametrize("index", [1, 255, 256, 257, 700])
@pytest.mark.parametrize("wrong", ["x", [1], []])
@pytest.mark.parametrize("row", [1, [1, 2], [[1], [2]]])
def test_of_many_rows_the_first_wrong_one_is_named(row: Any, wrong: Any, index: int) -> None:
    rows = [row] * 800
    rows[index] = rows[750] = wrong
    with pytest.raises(BadBody) as told:
        ask_columns({"instances": rows}, version_of("float32"))
    with pytest.raises(BadBody) as alone:
        ask_columns({"instances": [row, wrong]}, version_of("float32"))
    assert told.value.message == alone.value.message.replace("element: 1 ", f"element: {index} ")
