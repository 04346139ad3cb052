"""Outputs: whether an answer to an inference has the tensors that are expected."""

from __future__ import annotations

from typing import Any, Literal

from tfaas_core.testing.conformance.case import Expectation
from tfaas_core.testing.conformance.exchange import HEADER_LENGTH, Reply, Unmet
from tfaas_core.testing.conformance.expect import expectation
from tfaas_core.testing.conformance.likeness import difference
from tfaas_core.testing.conformance.oip.tensors import FLOATS, Tensor, read_out
from tfaas_core.testing.conformance.words import brief

TensorForm = Literal["JSON", "binary", "any"]


def outputs(*expected: Tensor, form: TensorForm = "JSON") -> Expectation:
    """Exactly these tensors, in any order."""

    def look(reply: Reply) -> None:
        found = _decoded(reply)
        if set(found) != {tensor.name for tensor in expected}:
            raise Unmet(f"outputs {brief(sorted(found))}")
        for tensor in expected:
            _compare(tensor, found[tensor.name], form)

    told = ", ".join(f"{t.name} {t.datatype} {t.shape} {brief(t.data, 80)}" for t in expected)
    return expectation(f"status 200, and the outputs {told}{_AS[form]}", look)


_AS = {"JSON": ", as JSON", "binary": ", as binary tensors", "any": ""}


def _compare(
    expected: Tensor, found: tuple[dict[str, Any], list[Any], TensorForm], form: TensorForm
) -> None:
    head, data, written = found
    if form not in (written, "any"):
        raise Unmet(f"{expected.name} as {written}")
    check_against(expected, head, data)


def check_against(expected: Tensor, head: dict[str, Any], data: list[Any]) -> None:
    """Raises Unmet if an output is not the one that is expected."""
    for key, value in (("datatype", expected.datatype), ("shape", expected.shape)):
        if found := difference(value, head.get(key)):
            raise Unmet(f"{key} {found}")
    if expected.datatype == "BYTES":
        found = _difference_of_texts(expected.data, data)
    else:
        found = difference(_as_sent(expected), data)
    if found:
        raise Unmet(f"data {found} of {expected.name}")


def _as_sent(tensor: Tensor) -> list[Any]:
    return [float(v) for v in tensor.data] if tensor.datatype in FLOATS else tensor.data


def _difference_of_texts(expected: list[Any], got: list[Any]) -> str:
    """As ``difference``, where a text is the same as its UTF-8."""
    return "" if _raw(expected) == _raw(got) else brief(got)


def _raw(values: list[Any]) -> list[Any]:
    return [v.encode(errors="replace") if isinstance(v, str) else v for v in values]


def _decoded(reply: Reply) -> dict[str, tuple[dict[str, Any], list[Any], TensorForm]]:
    if reply.status != 200:
        raise Unmet(reply.short)
    document = reply.document
    listed = document.get("outputs") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unmet(f"no list of outputs in {brief(document)}")
    tail = reply.body[len(reply.json_bytes) :]
    found = {}
    for output in listed:
        name, size = _head_of(output)
        if size is None:
            found[name] = (output, flat(output.get("data")), "JSON")
            continue
        if size > len(tail):
            raise Unmet(f"binary_data_size {size} of {name}, and {len(tail)} bytes")
        found[name] = (output, read_out(_datatype(output), tail[:size]), "binary")
        tail = tail[size:]
    if tail:
        raise Unmet(f"{len(tail)} bytes after the outputs; {HEADER_LENGTH} may be wrong")
    return found  # type: ignore[return-value]


def _datatype(output: dict[str, Any]) -> str:
    datatype = output.get("datatype")
    return datatype if isinstance(datatype, str) else ""


def _head_of(output: Any) -> tuple[str, int | None]:
    """Its name, and how many bytes it has behind the JSON."""
    if not isinstance(output, dict) or not isinstance(output.get("name"), str):
        raise Unmet(f"an output {brief(output)}")
    parameters = output.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return output["name"], None
    if type(size) is not int or size < 0 or "data" in output:
        raise Unmet(f"an output {brief(output)}")
    return output["name"], size


def flat(data: Any) -> list[Any]:
    """The values of a list, nested or not; raises Unmet."""
    if not isinstance(data, list):
        raise Unmet(f"data {brief(data)}")
    found: list[Any] = []
    waiting = [iter(data)]
    while waiting:
        for value in waiting[-1]:
            if isinstance(value, list):
                waiting.append(iter(value))
                break
            found.append(value)
        else:
            waiting.pop()
    return found
