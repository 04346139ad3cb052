"""The body of an infer request, JSON and binary tensors behind it, as far as it needs no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tfaas_core.errors import BadBody
from tfaas_core.models.model import ModelVersion
from tfaas_core.notes import noted
from tfaas_plugins.codecs.json.places import ANY, Places
from tfaas_plugins.protocols.oip.infer.usual_body import UsualBody, UsualOutput

NUMBERS = Places(("inputs", ANY, "data"))
"""Where in a request's JSON there may be many numbers."""

_SCALARS = (str, int, float, bool)
_MOST_INPUTS = 4096
_LONGEST_US = (1 << 64) - 1
"""The largest that the protocol holds, and no float is too small for."""


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that is asked for. ``classes``: how many of the highest values, 0: all as it is."""

    name: str
    binary: bool
    classes: int = 0


class InferBody(msgspec.Struct, frozen=True):
    """What an infer request says, as far as that needs no model.

    ``inputs`` are objects as they came; ``tails`` are the binary tensors, by the input's place.
    ``outputs`` None: all are wanted, ``binary`` says how.
    """

    id: str | None
    parameters: Mapping[str, Any]
    inputs: Sequence[dict[str, Any]]
    outputs: Sequence[WantedOutput] | None
    binary: bool
    tails: Mapping[int, memoryview]

    @property
    def timeout_s(self) -> float | None:
        """What the parameter ``timeout`` says, in microseconds there; None, like 0: nothing."""
        timeout = self.parameters.get("timeout")
        if timeout is None:
            return None
        if type(timeout) is float and timeout > _LONGEST_US:  # a number of more digits was read so
            timeout = _LONGEST_US
        if type(timeout) is not int or timeout < 0:
            raise BadBody("the parameter 'timeout' is no whole number of microseconds")
        return min(timeout, _LONGEST_US) / 1e6 or None

    @property
    def signature(self) -> str | None:
        """The signature that the parameter ``signature_name`` names: TFaaS's own addition."""
        name = self.parameters.get("signature_name")
        if name is not None and type(name) is not str:
            raise BadBody("the parameter 'signature_name' is no string")
        return name or None

    @property
    def string_bytes(self) -> int:
        """Of its binary tensors of strings, which take longer to read than numbers."""
        inputs = self.inputs
        strings = [place for place in self.tails if inputs[place].get("datatype") == "BYTES"]
        return sum(len(self.tails[place]) for place in strings)

    def wanted(self, version: ModelVersion) -> Sequence[WantedOutput]:
        """The outputs that are asked for: those of the signature, if none is named."""
        if self.outputs is not None:
            return self.outputs
        return noted(version, _all_binary if self.binary else _all_json)


def _all_binary(version: ModelVersion) -> Sequence[WantedOutput]:
    return [WantedOutput(spec.name, binary=True) for spec in version.signature.outputs]


def _all_json(version: ModelVersion) -> Sequence[WantedOutput]:
    return [WantedOutput(spec.name, binary=False) for spec in version.signature.outputs]


def check_count(inputs: int) -> None:
    """Raises BadBody if a request has too many inputs."""
    if inputs > _MOST_INPUTS:
        raise BadBody(f"the request has {inputs} inputs, at most {_MOST_INPUTS} are read")


def check_keys(parameters: Iterable[str], allowed: str = "") -> None:
    """Raises BadBody if a parameter of a request, other than ``allowed``, has a reserved name."""
    for key in parameters:
        if key.startswith("triton_") and key != allowed:
            raise BadBody(f"parameter keys starting with 'triton_' are reserved, got {key[:80]!r}")


def infer_body(document: Any, tail: memoryview) -> InferBody:
    """Reads a request; ``tail`` is what stands behind its JSON. Raises BadBody."""
    if type(document) is not dict:
        raise BadBody("the request is not a JSON object")
    request_id = document.get("id")
    if request_id is not None and type(request_id) is not str:
        raise BadBody("Unable to parse 'id': expected a string")
    parameters = _parameters(document, "the request")
    check_keys(parameters)
    binary = _flag(parameters, "binary_data_output")
    inputs = document.get("inputs")
    if type(inputs) is not list or not all(type(each) is dict for each in inputs):
        raise BadBody("Unable to parse 'inputs': expected a list of objects")
    check_count(len(inputs))
    outputs = _outputs(document.get("outputs"), binary)
    tails = _tails(inputs, tail)
    return InferBody(request_id, parameters, inputs, outputs, binary, tails)


def usual_infer_body(body: UsualBody) -> InferBody:
    """The same of a body that is as usual, but for its inputs. Raises BadBody."""
    parameters, outputs, binary = body.parameters, None, False
    if parameters:
        check_keys(parameters)
        binary = _flag(parameters, "binary_data_output")
    check_count(len(body.inputs))
    if body.outputs:
        outputs = [_usual_output(each, binary) for each in body.outputs]
    return InferBody(body.id, parameters, (), outputs, binary, {})


def _parameters(owner: dict[str, Any], what: str) -> dict[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise BadBody(f"Unable to parse 'parameters' of {what}: expected an object")
    for key, value in parameters.items():
        if type(value) not in _SCALARS:
            raise BadBody(f"the parameter {key[:80]!r} of {what} is no string, number or boolean")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, otherwise: bool = False) -> bool:
    value = parameters.get(name, otherwise)
    if type(value) is not bool:
        raise BadBody(f"the parameter {name!r} is no boolean")
    return value


def _outputs(outputs: Any, binary: bool) -> list[WantedOutput] | None:
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list or not all(type(each) is dict for each in outputs):
        raise BadBody("Unable to parse 'outputs': expected a list of objects")
    return [_output(each, binary) for each in outputs]


def _output(output: dict[str, Any], binary: bool) -> WantedOutput:
    name = output.get("name")
    if type(name) is not str:
        raise BadBody("Unable to parse 'outputs': each needs a 'name', a string")
    parameters = _parameters(output, f"output {name[:80]!r}")
    check_no_shared_memory(parameters, f"output {name[:80]!r}")
    classes = parameters.get("classification", 0)
    if type(classes) is not int or classes < 0:
        raise BadBody(f"'classification' of output {name[:80]!r} is no whole number above 0")
    return WantedOutput(name, _flag(parameters, "binary_data", binary), classes)


def _usual_output(output: UsualOutput, binary: bool) -> WantedOutput:
    parameters = output.parameters
    if not parameters:
        return WantedOutput(output.name, binary)
    return _output({"name": output.name, "parameters": parameters}, binary)


def check_no_shared_memory(parameters: Iterable[str], what: str) -> None:
    """Raises BadBody if the values of ``what`` are not in the request."""
    if any(key.startswith("shared_memory") for key in parameters):
        raise BadBody(f"{what} is in shared memory, which this server does not support")


def _tails(inputs: Sequence[dict[str, Any]], tail: memoryview) -> dict[int, memoryview]:
    """The part of ``tail`` that each input announces."""
    found, at = {}, 0
    for place, each in enumerate(inputs):
        name = input_name(each)
        if each.get("parameters") is None:
            continue
        parameters = _parameters(each, f"input {name[:80]!r}")
        check_no_shared_memory(parameters, f"input {name[:80]!r}")
        size = parameters.get("binary_data_size")
        if size is None:
            continue
        if type(size) is not int or size < 0:
            raise BadBody(f"'binary_data_size' of input {name[:80]!r} is no size in bytes")
        if at + size > len(tail):
            missing = at + size - len(tail)
            raise BadBody(
                f"unexpected size for input {name[:80]!r}, expecting {missing} additional bytes"
            )
        found[place] = tail[at : at + size]
        at += size
    if at != len(tail):
        raise BadBody(f"unexpected additional input data: {len(tail) - at} bytes")
    return found


def input_name(each: dict[str, Any]) -> str:
    """The name that an input has. Raises BadBody for none."""
    name = each.get("name")
    if type(name) is not str:
        raise BadBody("Unable to parse 'inputs': each needs a 'name', a string")
    return name
