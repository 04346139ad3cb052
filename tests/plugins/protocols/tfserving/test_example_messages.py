"""Examples that come over gRPC, and the classes that are answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.example_messages import (
    answer_of,
    read_one_task,
    read_tasks,
)
from tfaas_plugins.protocols.tfserving.examples import ExampleList

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.settings.tables import Limits

Request = message_class("tensorflow.serving.RegressionRequest")
Example = message_class("tensorflow.Example")
SPEC = {"name": "many"}

texts = st.binary(max_size=10)


def example(value: bytes) -> Any:
    made = Example()
    made.features.feature["t"].bytes_list.value.append(value)
    return made


def request(kind: str, examples: list[Any], **more: Any) -> Any:
    return Request(model_spec=SPEC, input={kind: {"examples": examples, **more}})


def read(body: bytes, most: int = 1000) -> ExampleList:
    return read_one_task(body, "regress", Allowance(Limits(max_values=most))).examples.exact


def written(examples: list[Any]) -> list[bytes]:
    return [each.SerializeToString() for each in examples]


@given(st.lists(texts, min_size=1, max_size=5), st.none() | texts)
def test_examples_are_as_they_were_sent(values: list[bytes], context: bytes | None) -> None:
    examples = [example(value) for value in values]
    if context is None:
        found = read(request("example_list", examples).SerializeToString())
        assert found.context == b""
    else:
        more = {"context": example(context)}
        body = request("example_list_with_context", examples, **more).SerializeToString()
        found = read(body)
        assert Example.FromString(found.context) == example(context)
    assert found.examples == written(examples)
    assert found.checked_bytes(1 << 20) == sum(map(len, found.array()))


def test_a_list_in_several_pieces_is_one() -> None:
    first, second = (request("example_list", [example(value)]) for value in (b"a", b"b"))
    body = first.SerializeToString() + second.SerializeToString()
    assert read(body).examples == written([example(b"a"), example(b"b")])


def test_of_two_kinds_the_last_one_counts() -> None:
    first = request("example_list_with_context", [example(b"a")], context=example(b"c"))
    second = request("example_list", [example(b"b")])
    found = read(first.SerializeToString() + second.SerializeToString())
    assert (found.context, found.examples) == (b"", written([example(b"b")]))


def test_an_input_in_very_many_pieces_is_refused() -> None:
    head = Request(model_spec=SPEC).SerializeToString()
    for pieces in (b"\x12\x00" * 2000, b"\x12\xa0\x1f" + b"\x0a\x00" * 2000):
        with pytest.raises(TooLarge, match="in more than 1000 pieces"):
            read(head + pieces, most=10_000)


def test_a_task_that_is_no_message_is_refused() -> None:
    with pytest.raises(BadBody, match="a task of the MultiInferenceRequest is broken"):
        read_tasks(b"\x0a\x01\xff\x12\x04\x0a\x02\x0a\x00", Allowance(Limits(max_values=100)))


def test_classes_have_labels_and_scores() -> None:
    labels = np.array([[b"cat", b"\xff"], [b"", b"cat"]], object)
    scores = np.array([[0.5, 0], [np.inf, -1]], np.float32)
    spec = message_class("tensorflow.serving.ModelSpec")(name="m")
    body = answer_of("classify", {"classes": labels, "scores": scores}, 2, spec)
    told = message_class("tensorflow.serving.ClassificationResponse").FromString(body)
    rows = [[(c.label, c.score) for c in row.classes] for row in told.result.classifications]
    assert rows == [[("cat", 0.5), ("\ufffd", 0)], [("", np.inf), ("cat", -1)]]
    assert told.model_spec.name == "m"
