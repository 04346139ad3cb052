"""Examples as TensorFlow reads them."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_plugins.protocols.tfserving.examples import examples_of

from tfaas_core.errors import BadBody


def read(serialized: bytes) -> dict[str, Any]:
    example = tf.train.Example.FromString(serialized)
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = (kind, list(getattr(feature, kind).value))
    return found


def test_the_kind_of_a_feature_is_that_of_its_values() -> None:
    example = {
        "text": ["é", {"b64": "/w=="}],
        "float": 1.5,
        "whole": [-1, 2**40, True],
        "long": "x" * 1000,
    }
    (serialized,) = examples_of({"examples": [example]}, "regress").exact.array()
    assert read(serialized) == {
        "text": ("bytes_list", ["é".encode(), b"\xff"]),
        "float": ("float_list", [1.5]),
        "whole": ("int64_list", [-1, 2**40, 1]),
        "long": ("bytes_list", [b"x" * 1000]),
    }


def test_the_context_is_in_each_example_unless_that_says_otherwise() -> None:
    document = {"context": {"a": 1.0, "b": 2.0}, "examples": [{"a": 3.0}, {}]}
    first, second = map(read, examples_of(document, "regress").exact.array())
    assert first == {"a": ("float_list", [3.0]), "b": ("float_list", [2.0])}
    assert second == {"a": ("float_list", [1.0]), "b": ("float_list", [2.0])}


def test_whole_numbers_are_at_hand_as_floats_too() -> None:
    examples = examples_of({"examples": [{"x": [1, 2]}]}, "regress")
    assert examples.as_floats is not None
    assert read(examples.as_floats.array()[0]) == {"x": ("float_list", [1.0, 2.0])}
    assert examples_of({"examples": [{"x": 1.5}]}, "regress").as_floats is None


@pytest.mark.parametrize(
    "feature", [None, {}, [None], [[1]], [1.5, 1], ["a", 1], 2**63, {"b64": "@"}, "\ud800"]
)
def test_what_is_no_feature_is_refused(feature: Any) -> None:
    with pytest.raises(BadBody):
        examples_of({"examples": [{"x": feature}]}, "regress")
