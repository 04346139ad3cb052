"""Cases: what is wrong with a request for inference is the client's error, and said in JSON."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import Ask, changed, get, post
from tfaas_core.testing.conformance.expect import OK, REFUSED, UNPACKED, refuses, status
from tfaas_core.testing.conformance.models import AFFINE, PAIR
from tfaas_core.testing.conformance.oip.asks import (
    ROW,
    A,
    B,
    affine,
    asking,
    infer,
    pair,
    wanted_output,
)

_errors = Group("oip.errors")
_X = ROW.json
_DEEP = 100_000


def _wrong(name: str, sentence: str, document: Any, model: str = AFFINE) -> Case:
    return _errors.must(name, sentence, asking(model, document), *refuses())


def _wrong_input(name: str, sentence: str, /, **changes: Any) -> Case:
    """With an input of which some keys are changed, or missing if they are ``...``."""
    given = {k: v for k, v in {**_X, **changes}.items() if v is not ...}
    return _wrong(name, sentence, {"inputs": [given]})


def _in_region() -> dict[str, Any]:
    region = {"shared_memory_region": "nobody", "shared_memory_byte_size": 12}
    return {**{k: v for k, v in _X.items() if k != "data"}, "parameters": region}


def _unknown(path: str) -> Ask:
    return post(path, {"inputs": [_X]})


ERROR_CASES = (
    _errors.must(
        "unknown_model",
        "A model that is not there is refused.",
        _unknown("/v2/models/conformance_unknown/infer"),
        *refuses(),
    ),
    _errors.should(
        "unknown_model_is_404",
        "The status of a model that is not there is 404.",
        _unknown("/v2/models/conformance_unknown/infer"),
        status(404),
    ),
    _errors.must(
        "unknown_version",
        "A version that is not there is refused.",
        changed(_unknown(f"/v2/models/{AFFINE}/versions/77/infer"), model=AFFINE),
        *refuses(),
    ),
    _wrong("no_json", "A body that is no JSON is refused.", '{"inputs": [', AFFINE),
    _wrong("empty", "An empty body is refused.", b""),
    _wrong("no_object", "JSON that is no object is refused.", [1, 2]),
    _wrong("no_utf8", "A body that is no UTF-8 is refused.", b'{"id": "\xff\xfe", "inputs": []}'),
    _errors.must(
        "deep",
        f"JSON of {_DEEP} nested lists is no error of the server.",
        asking(AFFINE, '{"inputs": ' + "[" * _DEEP + "]" * _DEEP + "}"),
        REFUSED,
    ),
    _wrong("no_inputs", "A request has inputs.", {"id": "1"}),
    _wrong("inputs_no_list", "Inputs are a list.", {"inputs": _X}),
    _wrong("input_no_object", "Each of the inputs is an object.", {"inputs": [1]}),
    _wrong("null_inputs", "The list of inputs is not null.", {"inputs": None}),
    _errors.should("id_no_text", "An id is a string.", affine(1, 2, 3, id=7), *refuses()),
    _wrong_input("no_name", "An input has a name.", name=...),
    _wrong_input("no_shape", "An input has a shape.", shape=...),
    _wrong_input("no_datatype", "An input has a datatype.", datatype=...),
    _wrong_input("no_data", "An input has data.", data=...),
    _wrong_input(
        "data_twice",
        "An input has data in the JSON or in binary form, but not both.",
        parameters={"binary_data_size": 12},
    ),
    _wrong_input("unknown_input", "An input's name is one of the model's.", name="nobody"),
    _wrong("missing_input", "All inputs of the model are there.", {"inputs": [A.json]}, PAIR),
    _wrong("input_twice", "An input is there once.", {"inputs": [A.json, B.json, A.json]}, PAIR),
    _wrong_input("unknown_datatype", "A datatype is one of the protocol's.", datatype="FLOAT"),
    _wrong_input("small_datatype", "The name of a datatype is in capitals.", datatype="fp32"),
    _wrong_input(
        "other_datatype", "The datatype of an input is that of the model.", datatype="FP64"
    ),
    _wrong_input(
        "other_size",
        "The shape of an input is one that the model takes.",
        shape=[1, 2],
        data=[1, 2],
    ),
    _wrong_input("other_rank", "A shape has as many axes as the model's.", shape=[3]),
    _wrong_input("negative_size", "No axis of a shape is negative.", shape=[-1, 3]),
    _wrong_input("size_no_number", "Sizes of axes are whole numbers.", shape=["1", 3]),
    _wrong_input("size_with_point", "Sizes of axes have no point.", shape=[1.5, 3]),
    _wrong_input("shape_no_list", "A shape is a list.", shape=3),
    _errors.must(
        "huge_size",
        "Sizes whose product is beyond 64 bits are refused.",
        infer(AFFINE, {**_X, "shape": [2**62, 3]}),
        *refuses(),
    ),
    _errors.should(
        "too_few_values",
        "Fewer values than the shape has are the client's error, not the server's.",
        infer(AFFINE, {**_X, "data": [1, 2]}),
        *refuses(),
    ),
    _errors.should(
        "too_many_values",
        "More values than the shape has are the client's error, not the server's.",
        infer(AFFINE, {**_X, "data": [1, 2, 3, 4]}),
        *refuses(),
    ),
    _wrong_input("data_no_list", "Data is a list, even of one value.", data=1.0),
    _wrong_input("data_object", "Data is no object.", data={"0": 1}),
    _errors.must(
        "unknown_output",
        "An output that is asked for is one of the model's.",
        pair(outputs=[wanted_output("nobody")]),
        *refuses(),
    ),
    _errors.should(
        "output_no_name",
        "An output that is asked for has a name.",
        pair(outputs=[{"parameters": {}}]),
        *refuses(),
    ),
    _errors.should("outputs_no_list", "Outputs are a list.", pair(outputs="sum"), *refuses()),
    _errors.should(
        "unknown_region",
        "Shared memory that there is not is the client's error.",
        infer(AFFINE, _in_region()),
        *refuses(),
    ),
    _errors.must(
        "uncompressed",
        "An error is never compressed.",
        changed(infer(AFFINE), {"Accept-Encoding": "gzip, deflate"}),
        *refuses(),
        UNPACKED,
    ),
    _errors.should(
        "get",
        "Inference is asked for by POST.",
        changed(get(f"/v2/models/{AFFINE}/infer"), model=AFFINE),
        *refuses(),
    ),
    _errors.should(
        "unknown_verb",
        "What a model cannot be asked is refused in JSON.",
        changed(post(f"/v2/models/{AFFINE}/dream", {}), model=AFFINE),
        *refuses(),
    ),
    _errors.must(
        "goes_on",
        "After an error, the server answers as before.",
        probe(asking(AFFINE, '{"inputs": ['), REFUSED),
        probe(affine(1, 2, 3), OK),
    ),
)
