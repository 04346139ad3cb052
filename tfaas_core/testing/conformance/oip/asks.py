"""Requests for inference, and the tensors that cases ask with."""

from __future__ import annotations

import json
from typing import Any

from tfaas_core.testing.conformance.exchange import HEADER_LENGTH, Ask, model_path, post
from tfaas_core.testing.conformance.models import AFFINE, PAIR, TEXT, TYPE_NAMES, TYPES
from tfaas_core.testing.conformance.oip.tensors import Binary, Tensor, tensor_bytes

V2 = "/v2"

ROW = Tensor("x", "FP32", [1, 3], [1.0, 2.0, 3.0])
"""A row for the affine model."""

ADDED = Tensor("y", "FP32", [1, 3], [3.0, 4.0, 5.0])
"""What its version 2 makes of it."""

A = Tensor("a", "INT32", [1, 2], [10, 20])
B = Tensor("b", "INT32", [1, 2], [1, 2])
SUM = Tensor("sum", "INT32", [1, 2], [11, 22])
DIFFERENCE = Tensor("difference", "INT32", [1, 2], [9, 18])


def infer(
    model: str,
    *inputs: Tensor | Binary | dict[str, Any],
    version: int | None = None,
    **more: Any,
) -> Ask:
    """A request with these inputs; ``more`` are further keys of its JSON."""
    listed = [i if isinstance(i, dict) else i.json for i in inputs]
    document = {"inputs": listed, **more}
    tails = [i.content for i in inputs if isinstance(i, Binary)]
    return asking(model, document, b"".join(tails) if tails else None, version)


def asking(model: str, document: Any, tail: bytes | None = None, version: int | None = None) -> Ask:
    """A request of any document, and of the ``tail`` of binary tensors that is behind it."""
    path = model_path(V2, model, version) + "/infer"
    number = "" if version is None else str(version)
    if tail is None:
        return post(path, document, model=model, version=number)
    content = json.dumps(document).encode()
    headers = {HEADER_LENGTH: str(len(content)), "Content-Type": "application/octet-stream"}
    return post(path, content + tail, headers=headers, model=model, version=number)


def affine(*values: float, **more: Any) -> Ask:
    """The affine model is asked for rows of three."""
    return infer(AFFINE, Tensor("x", "FP32", [len(values) // 3, 3], list(values)), **more)


def pair(**more: Any) -> Ask:
    """The model of two inputs is asked."""
    return infer(PAIR, A, B, **more)


def strings(*values: str, **more: Any) -> Ask:
    """The model of texts is asked, by JSON."""
    return infer(TEXT, Tensor("text", "BYTES", [len(values)], list(values)), **more)


def one_type(datatype: str, data: list[Any], binary: bool = False) -> Ask:
    """The model of all types is asked with ``data`` for one of them, and for its copy.

    All inputs have as many values: servers may take the first axis for a batch.
    """
    inputs = []
    for name in TYPE_NAMES:
        values = data if name == datatype else [False if name == "BOOL" else 0] * len(data)
        tensor = Tensor(f"in_{name.lower()}", name, [len(values)], values)
        inputs.append(tensor.binary if binary else tensor)
    wanted = {"name": f"out_{datatype.lower()}", "parameters": {"binary_data": binary}}
    return infer(TYPES, *inputs, outputs=[wanted if binary else {"name": wanted["name"]}])


def copy_of(datatype: str, data: list[Any]) -> Tensor:
    """What that answers."""
    return Tensor(f"out_{datatype.lower()}", datatype, [len(data)], data)


def wanted_output(name: str, **parameters: Any) -> dict[str, Any]:
    """An output that is asked for."""
    return {"name": name, **({"parameters": parameters} if parameters else {})}


ROW_BYTES = tensor_bytes("FP32", ROW.data)
