"""What requests of protocols hold beside their JSON is counted before there is an object for it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.datatypes import from_raw
from tfaas_plugins.protocols.oip.infer.answers import infer_answer
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.requests import WantedOutput, infer_body
from tfaas_plugins.protocols.tfserving.examples import examples_of

from tfaas_core.errors import TooLarge
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import TensorSpec
from tfaas_core.testing.models import model_version

MANY = 8_000_000
LIMITS = Limits(max_values=100_000)
MOST = LIMITS.max_values
MOST_BYTES = 1 << 30
TEXTS = tuple(TensorSpec(name, "string", (None,)) for name in ("x", "y"))
NUMBERS = (TensorSpec("y", "float32", (None, None)),)


def binary(*sizes: int) -> tuple[dict[str, Any], memoryview]:
    """A request with so many empty strings for each input."""
    inputs = [
        {
            "name": spec.name,
            "datatype": "BYTES",
            "shape": [size],
            "parameters": {"binary_data_size": 4 * size},
        }
        for spec, size in zip(TEXTS, sizes, strict=False)
    ]
    return {"inputs": inputs}, memoryview(bytes(4 * sum(sizes)))


def ask_binary(*sizes: int) -> None:
    version = model_version(TEXTS[: len(sizes)], TEXTS)
    arrays = arrays_of(infer_body(*binary(*sizes)), version, Allowance(LIMITS))
    assert tuple(map(len, arrays.values())) == sizes


def ask_raw(size: int) -> None:
    from_raw(memoryview(bytes(4 * size)), "BYTES", [size], "x", Allowance(LIMITS))


def ask_classes(rows: int, columns: int, classes: int) -> None:
    version = model_version(NUMBERS, NUMBERS)
    result = InferenceResult({"y": np.zeros((rows, columns), np.float32)}, version)
    infer_answer(result, [WantedOutput("y", False, classes)], None, Allowance(LIMITS))


def ask_context(values: int, text: str, examples: int) -> None:
    context = {"a": [1.5] * values, "b": text}
    document = {"context": context, "examples": [{}] * examples}
    examples_of(document, "classify", LIMITS).exact.checked_bytes(MOST_BYTES)


@pytest.mark.parametrize(
    ("ask", "sizes"),
    [
        (ask_binary, (MANY,)),
        (ask_binary, (MOST - 1000, 1001)),
        (ask_raw, (MANY,)),
        (ask_classes, (MANY, 2, 1)),
        (ask_classes, (1, MANY, MANY)),
        (ask_classes, (4_000, 2_000, 1_000)),
        (ask_context, (10_000, "", 10_000)),
        (ask_context, (1, "x" * 10_000_000, 10_000)),
    ],
)
def test_too_many_are_refused_before_the_work(ask: Callable[..., None], sizes: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as caught:
            ask(*sizes)
        most_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "max_" in caught.value.message
    # What the test sends is in it.
    assert most_bytes < 100 << 20


@pytest.mark.parametrize(
    ("ask", "sizes"),
    [
        (ask_binary, (500, 500)),
        (ask_raw, (1000,)),
        (ask_classes, (1_000, 2_000, 1)),
        (ask_context, (100, "x" * 100, 100)),
    ],
)
def test_as_many_as_are_allowed_are_taken(ask: Callable[..., None], sizes: Any) -> None:
    ask(*sizes)
