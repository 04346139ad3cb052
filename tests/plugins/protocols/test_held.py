"""Whatever is asked by a protocol, no step of reading it or of answering lets others wait long."""

from __future__ import annotations

import gzip
import json
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pytest
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_text import read
from tfaas_plugins.protocols.oip.infer import requests as oip
from tfaas_plugins.protocols.oip.infer.answers import infer_answer
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.infer.raw_input import raw_input
from tfaas_plugins.protocols.oip.infer.requests import WantedOutput, infer_body
from tfaas_plugins.protocols.oip.messages import infer_message
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving import tensors as tfserving
from tfaas_plugins.protocols.tfserving.examples import examples_of
from tfaas_plugins.protocols.tfserving.predict_messages import read_predict

from tests.plugins.codecs.hostile_bodies import json_bodies
from tests.plugins.held import is_quick
from tfaas_core.errors import TfaasError
from tfaas_core.predict.compressed_bodies import inflated
from tfaas_core.predict.inference import InferenceResult
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version

LIMITS = Limits()
_BODY_BYTES = LIMITS.max_json_bytes - 1000
VERSIONS = [
    model_version([TensorSpec("x", dtype, shape)])
    for dtype, shape in (("float32", (None,)), ("int64", (None,)), ("string", (1,)))
]

Work = Callable[[], object]


def as_predict(body: bytes) -> None:
    with suppress(TfaasError):
        document = read(body, LIMITS, tfserving.NUMBERS)
        for version in VERSIONS:
            with suppress(TfaasError):
                tfserving.values_of(document, version.signature)


def as_examples(body: bytes) -> None:
    with suppress(TfaasError):
        examples_of(read(body, LIMITS, tfserving.NUMBERS), "classify", LIMITS)


def as_infer(body: bytes, tail: bytes = b"") -> None:
    with suppress(TfaasError):
        document = infer_body(read(body, LIMITS, oip.NUMBERS), memoryview(tail))
        for version in VERSIONS:
            with suppress(TfaasError):
                arrays_of(document, version, Allowance(LIMITS))


def as_raw(body: bytes) -> None:
    for version in VERSIONS:
        raw_input(body, version, Allowance(LIMITS))


def tensor(datatype: str, shape: int, data: str) -> bytes:
    text = f'"name": "x", "datatype": "{datatype}", "shape": [{shape}], "data": [{data}]'
    return f'{{"inputs": [{{{text}}}]}}'.encode()


def numbers(size: int) -> Iterator[tuple[str, int, str]]:
    dice = random.Random(size)
    floats = [repr(dice.uniform(-1, 1)) for _ in range(size // 20)]
    integers = [str(dice.randrange(10**8)) for _ in range(size // 17)]
    yield "floats", len(floats), ",".join(floats)
    yield "floats and NaN", len(floats) + 1, ",".join([*floats, "NaN"])
    yield "integers", len(integers), ",".join(integers)
    yield "integers and NaN", len(integers) + 1, ",".join(["NaN", *integers])
    yield "integers and a text", len(integers) + 1, ",".join([*integers, '"x"'])
    yield "NaN", len(integers), ",".join(["NaN"] * len(integers))
    texts = ['""'] * (size // 8)
    yield "texts", len(texts), ",".join(texts)


def tensors(size: int) -> Iterator[tuple[str, Work]]:
    for name, count, data in numbers(size):
        for datatype in ("FP32", "INT64", "BYTES"):
            yield f"{datatype} of {name}", partial(as_infer, tensor(datatype, count, data))
        for key in ("instances", "inputs"):
            yield f"{key} of {name}", partial(as_predict, f'{{"{key}": [{data}]}}'.encode())
        example = f'{{"examples": [{{"x": [{data}]}}]}}'
        yield f"an example of {name}", partial(as_examples, example.encode())
    for datatype, count, item in (("BYTES", size // 4, bytes(4)), ("BF16", size // 2, b"\0\x3f")):
        parameters = {"binary_data_size": count * len(item)}
        fields = {"name": "x", "datatype": datatype, "shape": [count], "parameters": parameters}
        head = json.dumps({"inputs": [fields]}).encode()
        yield f"a tail of {datatype}", partial(as_infer, head, item * count)
    yield "a raw tensor", partial(as_raw, bytes(size))
    yield "what is compressed", partial(inflated, gzip.compress(bytes(size), 1), "gzip", size)


def odd_bodies(size: int) -> Iterator[tuple[str, Work]]:
    for name, body in json_bodies(size):
        yield f"instances: {name}", partial(as_predict, body.replace(b'"values"', b'"instances"'))
        if name in ("objects, as many as may be", "depth", "base64 of spaces"):
            examples = body.replace(b'"values"', b'"examples"')
            yield f"examples: {name}", partial(as_examples, examples)


def messages() -> Iterator[tuple[str, Work]]:
    """Of gRPC, with as many values as there may be in the fields of their types."""
    count = LIMITS.max_values - 10
    values: dict[tuple[str, str, str], list[Any]] = {
        ("FP32", "fp32_contents", "float_val"): [0.5] * count,
        ("FP64", "fp64_contents", "double_val"): [0.5] * count,
        ("INT64", "int64_contents", "int64_val"): list(range(-count, 0)),
        ("UINT64", "uint64_contents", "uint64_val"): [1 << 63] * count,
        ("BOOL", "bool_contents", "bool_val"): [True] * count,
        ("BYTES", "bytes_contents", "string_val"): [b"0123456789"] * count,
    }
    for (datatype, contents, field), many in values.items():
        yield f"{contents}", partial(as_infer_message, infer_call(datatype, contents, many))
        yield f"{field}", partial(as_predict_message, predict_call(datatype, field, many))
    long = [bytes(200 << 20)]
    yield (
        "long bytes_contents",
        partial(as_infer_message, infer_call("BYTES", "bytes_contents", long)),
    )
    yield (
        "a long string_val",
        partial(as_predict_message, predict_call("BYTES", "string_val", long)),
    )


def infer_call(datatype: str, contents: str, values: list[Any]) -> bytes:
    request = message_class("inference.ModelInferRequest")(model_name="m")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=[len(values)])
    getattr(tensor.contents, contents).extend(values)
    return bytes(request.SerializeToString())


def predict_call(datatype: str, field: str, values: list[Any]) -> bytes:
    numbers = {"FP32": 1, "FP64": 2, "BYTES": 7, "INT64": 9, "BOOL": 10, "UINT64": 23}
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "m"
    tensor = request.inputs["x"]
    tensor.dtype = numbers[datatype]
    tensor.tensor_shape.dim.add(size=len(values))
    getattr(tensor, field).extend(values)
    return bytes(request.SerializeToString())


def as_infer_message(body: bytes) -> None:
    asked = infer_message(body, LIMITS).body
    for dtype in ("float32", "float64", "int64", "uint64", "bool", "string"):
        version = model_version([TensorSpec("x", dtype, (None,))])
        with suppress(TfaasError):
            arrays_of(asked, version, Allowance(LIMITS))


def as_predict_message(body: bytes) -> None:
    with suppress(TfaasError):
        allowance = Allowance(LIMITS)
        read_predict(body, allowance).inputs["x"].array(allowance)


def answers() -> Iterator[tuple[str, Work]]:
    dice = np.random.default_rng(1)
    plain = dice.random((1000, 4000)).astype(np.float32)
    odd = plain.copy()
    odd[::7] = np.nan
    halves = plain[:50].astype(np.float16)
    texts = np.array([struct.pack("<I", n) for n in range(900_000)], object)
    texts[:] = b"abc"
    for name, array in (("numbers", plain), ("NaN", odd), ("halves", halves), ("texts", texts)):
        yield f"{name} of /v2", partial(infer, array, False, 0)
        yield f"{name} of /v1", partial(tfserving.rows_answer, {"y": array})
        yield f"columns of {name}", partial(tfserving.columns_answer, {"y": array, "z": array})
        yield f"rows of {name}", partial(tfserving.rows_answer, {"y": array, "z": array})
    yield "classes", partial(infer, plain, False, 400)
    yield "binary texts", partial(infer, texts, True, 0)


def infer(array: Array, binary: bool, classes: int) -> None:
    dtype = "string" if array.dtype == object else array.dtype.name
    version = model_version(outputs=[TensorSpec("y", dtype, None)])
    wanted = [WantedOutput("y", binary, classes)]
    with suppress(TfaasError):
        infer_answer(InferenceResult({"y": array}, version), wanted, None, Allowance(LIMITS))


def slow(works: Iterator[tuple[str, Work]]) -> list[str]:
    return [name for name, work in works if not is_quick(work)]


@pytest.mark.parametrize("cases", [tensors, odd_bodies])
def test_no_step_of_reading_holds_up_other_requests(
    cases: Callable[[int], Iterator[tuple[str, Work]]],
) -> None:
    assert slow(cases(_BODY_BYTES)) == []


def test_no_step_of_reading_a_message_holds_up_other_requests() -> None:
    assert slow(messages()) == []


def test_no_step_of_answering_holds_up_other_requests() -> None:
    assert slow(answers()) == []
