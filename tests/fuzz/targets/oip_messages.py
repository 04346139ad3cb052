"""Infer requests of gRPC: refused, or arrays that fit, the same as those of what was parsed."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.oip.infer.inputs import arrays_of
from tfaas_plugins.protocols.oip.messages import InferRequest, infer_message

from tests.fuzz.mutations import mutator
from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.settings.tables import Limits
from tfaas_core.tensors import TensorSpec
from tfaas_core.testing.models import model_version

_DTYPES = ("float32", "int64", "bool", "string", "float16", "uint8", "float64", "int8")
_BRAIN = TensorSpec("x", "float32", (None,), carried="bfloat16")
_VERSIONS = [
    *(model_version([TensorSpec("x", dtype, (None,))]) for dtype in _DTYPES),
    model_version([_BRAIN]),
    model_version([TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "int32", (None,))]),
]
_LIMITS = Limits(max_values=1000)

mutate = mutator(InferRequest, ("x", "y", "FP32", "BYTES", "INT64", "BF16", "BOOL"), 1)


def check(data: bytes) -> None:
    version, body = _VERSIONS[(data[0] if data else 0) % len(_VERSIONS)], data[1:]
    found = _outcome(body, version)
    try:
        message = InferRequest.FromString(body)
    except DecodeError:
        assert isinstance(found, TfaasError), found
        return
    again = _outcome(message.SerializeToString(), version)
    if isinstance(found, TfaasError) or isinstance(again, TfaasError):
        assert isinstance(found, TfaasError), found
        assert isinstance(again, TfaasError), again
        return
    assert found.keys() == again.keys()
    for name, array in found.items():
        assert array.dtype == again[name].dtype
        np.testing.assert_array_equal(array, again[name])


def _outcome(body: bytes, version: Any) -> Any:
    """The arrays, or how it was refused."""
    try:
        return arrays_of(infer_message(body, _LIMITS).body, version, Allowance(_LIMITS))
    except (BadBody, TooLarge) as error:
        return error
