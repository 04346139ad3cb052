from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tfaas_core.errors import BadBody, DoesNotFit, TfaasError, TooLarge
from tfaas_core.models.examples import MAX_EXAMPLES, examples_of, parse_warmup, read_examples
from tfaas_core.testing.models import model_version

ONE = {"values": [1, 2], "outputs": [3]}


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"examples": [ONE]}, "warmup.examples[0]"),
        ([ONE], "warmup[0]"),
        (ONE, "warmup"),
    ],
)
def test_one_example_is_read_in_each_form(document: Any, where: str) -> None:
    (example,) = read_examples(document, "warmup")
    assert (example.where, example.document) == (where, {"values": [1, 2]})
    assert (example.outputs, example.tolerance) == ([3], 1e-4)


@pytest.mark.parametrize("document", [None, [], {"examples": []}])
def test_there_may_be_none(document: Any) -> None:
    assert read_examples(document, "params.example") == []


def test_an_examples_own_tolerance_wins_over_the_documents() -> None:
    document = {"tolerance": 0.5, "examples": [{"tolerance": 0}, {}, {"tolerance": None}]}
    assert [each.tolerance for each in read_examples(document, "warmup")] == [0, 0.5, 0.5]


def test_a_version_has_those_of_its_bundle_and_of_its_params() -> None:
    version = model_version(params={"example": [{"values": [5, 6]}]})
    version = msgspec.structs.replace(version, warmup={"examples": [ONE]})
    assert [example.where for example in examples_of(version)] == [
        "warmup.examples[0]",
        "params.example[0]",
    ]
    assert examples_of(model_version()) == []


def test_an_object_is_kept_as_it_was_sent_and_a_list_as_an_object() -> None:
    for document in ({"tolerance": 0.1, "examples": [ONE]}, ONE):
        assert parse_warmup(json.dumps(document).encode()) == document
    assert parse_warmup(json.dumps([ONE]).encode()) == {"examples": [ONE]}


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[NaN]", b"[" * 100_000, b'{"values": 1e999}', b"\xef\xbb\xbf["]
)
def test_what_is_no_json_is_a_bad_body(body: bytes) -> None:
    with pytest.raises(BadBody, match=r"warmup\.json is not JSON"):
        parse_warmup(body)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "warmup is null, send an example"),
        (1, "warmup is a number, send an example"),
        ("x", "warmup is a string"),
        ([1, 2], "warmup.examples[0] is a number"),
        ({"examples": {}}, "warmup.examples is an object, send a list"),
        ({"examples": None}, "warmup.examples is null"),
        ({"examples": [ONE, None]}, "warmup.examples[1] is null, send an example"),
        ({"examples": [ONE, [ONE]]}, "warmup.examples[1] is a list"),
        ({"examples": [{"outputs": 3}]}, "warmup.examples[0].outputs is a number, send what"),
        ({"examples": [{"outputs": "x"}]}, "warmup.examples[0].outputs is a string"),
        ({"outputs": True}, "warmup.outputs is a boolean"),
        ({"examples": [], "tolerance": -1e-9}, "warmup.tolerance is -1e-09, it cannot be negative"),
        ({"examples": [], "tolerance": "1"}, "warmup.tolerance is a string, send a number"),
        ({"examples": [], "tolerance": True}, "warmup.tolerance is a boolean"),
        ({"examples": [{"tolerance": []}]}, "warmup.examples[0].tolerance is a list"),
        ({"examples": [{"tolerance": -1}]}, "warmup.examples[0].tolerance is -1"),
        ({"examples": [], "tolerence": 1}, "warmup.tolerence is unknown; there are: examples"),
        ({"examples": [], "tol\n\x7f": 1}, "warmup.tol?? is unknown; there are: examples"),
        ({"examples": [{"output": []}]}, "warmup.examples[0].output is unknown; did you mean outp"),
        ({"examples": [{"model": "vk"}]}, "warmup.examples[0].model is not for an example"),
        ({"version": 3}, "warmup.version is not for an example"),
        ({"label": "x"}, "warmup.label is not for an example"),
    ],
)
def test_what_is_no_example_is_told_with_its_place(document: Any, words: str) -> None:
    with pytest.raises(DoesNotFit) as caught:
        parse_warmup(json.dumps(document).encode())
    assert caught.value.message.startswith(words)
    assert words.startswith(caught.value.details["field"])


def test_fields_that_a_codec_may_know_are_left_to_it() -> None:
    fields = {"inputs": {"a": 1}, "keys": ["a"], "name": "a row of ones", "put": 1}
    (example,) = read_examples(fields, "warmup")
    assert example.document == fields


def test_there_is_a_limit_of_examples_and_of_depth() -> None:
    assert len(read_examples([ONE] * MAX_EXAMPLES, "warmup")) == MAX_EXAMPLES
    with pytest.raises(TooLarge, match=r"warmup\.examples has 101 examples, 100 are allowed"):
        read_examples({"examples": [ONE] * 101}, "warmup")
    deep: Any = 1
    for _ in range(65):
        deep = [deep]
    with pytest.raises(TfaasError, match="nested more than 64 deep"):
        read_examples({"values": deep}, "warmup")
