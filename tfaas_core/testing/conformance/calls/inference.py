"""Inference over gRPC: its messages, and the outputs that are expected."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.calls.asks import INFERENCE, from_b64, grpc_call
from tfaas_core.testing.conformance.case import Expectation
from tfaas_core.testing.conformance.exchange import CODE, Ask, Reply, Unmet
from tfaas_core.testing.conformance.expect import expectation
from tfaas_core.testing.conformance.oip.outputs import check_against
from tfaas_core.testing.conformance.oip.tensors import Tensor, read_out, tensor_bytes
from tfaas_core.testing.conformance.words import brief

_FIELDS = {
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    **{"BOOL": "bool_contents", "INT64": "int64_contents", "UINT64": "uint64_contents"},
    **{"FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"},
}


def infer_document(model: str, *tensors: Tensor, **fields: Any) -> dict[str, Any]:
    """A ModelInferRequest of raw values."""
    return {
        "model_name": model,
        "inputs": [_head(tensor) for tensor in tensors],
        "raw_input_contents": [tensor_bytes(t.datatype, t.data) for t in tensors],
        **fields,
    }


def infer_call(model: str, *tensors: Tensor, **fields: Any) -> Ask:
    """A request of raw values; ``fields`` are further ones of the message."""
    return _call(model, infer_document(model, *tensors, **fields))


def of_contents(model: str, *tensors: Tensor, **fields: Any) -> Ask:
    """A request whose values are in the contents of its inputs."""
    inputs = [{**_head(t), "contents": {_FIELDS[t.datatype]: _values(t)}} for t in tensors]
    return _call(model, {"model_name": model, "inputs": inputs, **fields})


def _call(model: str, document: dict[str, Any]) -> Ask:
    version = str(document.get("model_version", ""))
    return grpc_call(INFERENCE, "ModelInfer", document, model, version)


def _head(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def _values(tensor: Tensor) -> list[Any]:
    return [v.encode() if isinstance(v, str) else v for v in tensor.data]


def calls_outputs(*expected: Tensor) -> Expectation:
    """Exactly these tensors, raw, in any order."""

    def look(reply: Reply) -> None:
        if reply.headers.get(CODE) != "OK":
            raise Unmet(reply.short)
        compare_message(reply.document, expected)

    told = ", ".join(f"{t.name} {t.datatype} {t.shape} {brief(t.data, 80)}" for t in expected)
    return expectation(f"code OK, and the outputs {told}, in raw_output_contents", look)


def compare_message(document: Any, expected: tuple[Tensor, ...]) -> None:
    """Raises Unmet unless a ModelInferResponse has these outputs."""
    outputs, raw = document["outputs"], document["raw_output_contents"]
    if len(raw) != len(outputs):
        raise Unmet(f"{len(outputs)} outputs, and {len(raw)} raw_output_contents")
    if filled := [o["name"] for o in outputs if any(o.get("contents", {}).values())]:
        raise Unmet(f"contents of {brief(filled)}")
    found = {
        output["name"]: (output, content)
        for output, content in zip(outputs, from_b64(raw), strict=True)
    }
    if set(found) != {tensor.name for tensor in expected}:
        raise Unmet(f"outputs {brief(sorted(found))}")
    for tensor in expected:
        head, content = found[tensor.name]
        sized = {**head, "shape": [int(size) for size in head["shape"]]}
        check_against(tensor, sized, read_out(head["datatype"], content))
