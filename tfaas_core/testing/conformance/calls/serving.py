"""Predictions over gRPC: messages of TensorFlow Serving, and the tensors that are expected."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import MODEL_SERVICE, PREDICTION, b64, grpc_call
from tfaas_core.testing.conformance.case import Expectation
from tfaas_core.testing.conformance.exchange import CODE, Ask, Reply, Unmet
from tfaas_core.testing.conformance.expect import expectation
from tfaas_core.testing.conformance.likeness import difference
from tfaas_core.testing.conformance.models import EXAMPLES

_FIELDS = {
    **{"DT_FLOAT": "float_val", "DT_DOUBLE": "double_val", "DT_INT64": "int64_val"},
    **dict.fromkeys(("DT_INT32", "DT_INT16", "DT_INT8", "DT_UINT8", "DT_UINT16"), "int_val"),
    **{"DT_UINT32": "uint32_val", "DT_UINT64": "uint64_val", "DT_BOOL": "bool_val"},
    **{"DT_STRING": "string_val", "DT_HALF": "half_val", "DT_BFLOAT16": "half_val"},
}
_AS_TEXT = ("DT_INT64", "DT_UINT64")
"""JSON has their values as strings."""


def typed(dtype: str, shape: list[int], values: list[Any], **fields: Any) -> dict[str, Any]:
    """A TensorProto with its values in the field of its dtype; ``fields`` replace some."""
    sizes = [{"size": size} for size in shape]
    return {"dtype": dtype, "tensor_shape": {"dim": sizes}, _FIELDS[dtype]: values, **fields}


def spec_of(model: str, **fields: Any) -> dict[str, Any]:
    """A ModelSpec; ``fields``: ``version``, ``version_label`` or ``signature_name``."""
    return {"name": model, **fields}


def predict_call(model: str, inputs: dict[str, Any], spec: Any = None, **fields: Any) -> Ask:
    """``Predict``; ``spec`` has further fields of the ModelSpec, and ``fields`` of the request."""
    named = spec_of(model, **(spec or {}))
    document = {"model_spec": named, "inputs": inputs, **fields}
    return serving_call("Predict", document, model)


def serving_call(method: str, document: dict[str, Any], model: str = "") -> Ask:
    """A call of the PredictionService."""
    spec = document.get("model_spec", {})
    version, label = str(spec.get("version", "")), str(spec.get("version_label", ""))
    return grpc_call(PREDICTION, method, document, model, version, label)


def status_call(model: str, version: int | None = None, is_there: bool = True) -> Ask:
    """``GetModelStatus``."""
    spec = spec_of(model) if version is None else spec_of(model, version=version)
    return grpc_call(
        MODEL_SERVICE, "GetModelStatus", {"model_spec": spec}, model if is_there else ""
    )


def tensors(**expected: dict[str, Any]) -> Expectation:
    """Exactly these outputs, each with its values in the field of its dtype."""

    def look(reply: Reply) -> None:
        if reply.headers.get(CODE) != "OK":
            raise Unmet(reply.short)
        found = {name: _plain(tensor) for name, tensor in reply.document["outputs"].items()}
        wanted = {name: _expected(tensor) for name, tensor in expected.items()}
        if where := difference(wanted, found):
            raise Unmet(f"{where}, of the outputs' dtype, shape and typed values")

    told = ", ".join(f"{name} {_expected(tensor)}" for name, tensor in expected.items())
    return expectation(f"code OK, and the outputs {told}", look)


def _plain(tensor: Any) -> dict[str, Any]:
    shape = [int(dim["size"]) for dim in tensor.get("tensor_shape", {}).get("dim", [])]
    values = tensor.get(_FIELDS.get(tensor["dtype"], ""), [])
    return {"dtype": tensor["dtype"], "shape": shape, "values": values}


def _expected(tensor: dict[str, Any]) -> dict[str, Any]:
    dtype = tensor["dtype"]
    values = [_as_json(dtype, value) for value in tensor[_FIELDS[dtype]]]
    shape = [dim["size"] for dim in tensor["tensor_shape"]["dim"]]
    return {"dtype": dtype, "shape": shape, "values": values}


def _as_json(dtype: str, value: Any) -> Any:
    if dtype in _AS_TEXT:
        return str(value)
    if dtype in ("DT_FLOAT", "DT_DOUBLE"):
        return float(value)
    return b64(value) if isinstance(value, bytes) else value


def example(**features: Any) -> dict[str, Any]:
    """An Example of features of one value each."""
    return {"features": {"feature": {name: _feature(v) for name, v in features.items()}}}


def _feature(value: Any) -> dict[str, Any]:
    kinds = {float: "float_list", int: "int64_list", bytes: "bytes_list"}
    return {kinds[type(value)]: {"value": [value]}}


def examples_call(method: str, signature: str, *examples: Any, context: Any = None) -> Ask:
    """``Classify`` or ``Regress``."""
    listed: dict[str, Any] = {"examples": list(examples)}
    given = {"example_list": listed}
    if context is not None:
        given = {"example_list_with_context": {**listed, "context": context}}
    spec = spec_of(EXAMPLES, signature_name=signature)
    return serving_call(method, {"model_spec": spec, "input": given}, EXAMPLES)
