"""Cases: values of each datatype, in JSON and in binary tensors."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group
from tfaas_core.testing.conformance.expect import OK, body_has, refuses, status
from tfaas_core.testing.conformance.likeness import Near
from tfaas_core.testing.conformance.models import AFFINE, HALVES
from tfaas_core.testing.conformance.oip.asks import copy_of, infer, one_type, strings, wanted_output
from tfaas_core.testing.conformance.oip.outputs import outputs
from tfaas_core.testing.conformance.oip.tensors import Tensor

_NAN, _INFINITY = float("nan"), float("inf")

VALUES: dict[str, tuple[str, list[Any]]] = {
    "BOOL": ("are true and false", [True, False, True]),
    "INT8": ("reach from -128 to 127", [-128, 0, 127]),
    "INT16": ("reach from -32768 to 32767", [-32768, 0, 32767]),
    "INT32": ("reach from -2147483648 to 2147483647", [-(2**31), 0, 2**31 - 1]),
    "INT64": ("keep all their digits", [-(2**63), 2**53 + 1, 2**63 - 1]),
    "UINT8": ("reach to 255", [0, 255]),
    "UINT16": ("reach to 65535", [0, 65535]),
    "UINT32": ("reach to 4294967295", [0, 2**32 - 1]),
    "UINT64": ("keep all their digits", [0, 2**53 + 1, 2**64 - 1]),
    "FP32": ("are numbers", [0.0, -1.5, 3.0, 1e30, 1e-30]),
    "FP64": ("are exact", [0.1, -1e300, 1.7976931348623157e308]),
}

_in_json = Group("oip.datatypes")
_in_binary = Group("oip.datatypes.binary", "binary_tensor_data")


def _both(datatype: str) -> list[Case]:
    words, data = VALUES[datatype]
    answered = [Near(v) for v in data] if datatype == "FP64" else data
    name = datatype.lower()
    return [
        _in_json.must(
            name,
            f"Values of {datatype} {words}.",
            one_type(datatype, data),
            outputs(copy_of(datatype, answered)),
        ),
        _in_binary.must(
            name,
            f"Values of {datatype} {words}, in binary tensors, too.",
            one_type(datatype, data, binary=True),
            outputs(copy_of(datatype, answered), form="binary"),
        ),
    ]


def _refused(name: str, sentence: str, datatype: str, value: Any) -> Case:
    return _in_json.should(name, sentence, one_type(datatype, [value]), *refuses())


def _halves(datatype: str, data: list[Any], binary: bool) -> tuple[Any, Any]:
    tensors = [
        Tensor(f"in_{name.lower()}", name, [len(data)], [0.0] * len(data))
        for name in ("FP16", "BF16")
        if name != datatype
    ]
    tensors.append(Tensor(f"in_{datatype.lower()}", datatype, [len(data)], data))
    wants = wanted_output(f"out_{datatype.lower()}", binary_data=binary)
    ask = infer(HALVES, *((t.binary if binary else t) for t in tensors), outputs=[wants])
    return ask, outputs(copy_of(datatype, data), form="binary" if binary else "JSON")


_HALF = [1.5, -2.0, 65504.0]
_BRAIN = [1.5, -2.0, 2.0**100]

DATATYPE_CASES = (
    *(case for datatype in VALUES for case in _both(datatype)),
    _in_binary.must("fp16", "FP16 has two bytes.", *_halves("FP16", _HALF, binary=True)),
    _in_binary.should(
        "bf16", "BF16 has two bytes: the upper half of FP32.", *_halves("BF16", _BRAIN, binary=True)
    ),
    _in_binary.must(
        "not_finite",
        "NaN and the infinities are as they are.",
        one_type("FP32", [_NAN, _INFINITY, -_INFINITY], binary=True),
        outputs(copy_of("FP32", [_NAN, _INFINITY, -_INFINITY]), form="binary"),
    ),
    *(
        _in_json.should(
            f"{datatype.lower()}_or_error",
            f"In JSON, {datatype} is numbers, or an error of the client.",
            _halves(datatype, [1.5, -2.0], binary=False)[0],
            status(200, 400),
        )
        for datatype in ("FP16", "BF16")
    ),
    _in_json.must(
        "nan_is_read",
        "NaN and Infinity are read as bare words: clients write them so.",
        infer(AFFINE, Tensor("x", "FP32", [1, 3], [_NAN, _INFINITY, -_INFINITY])),
        OK,
    ),
    _in_json.should(
        "nan_is_written",
        "NaN is written as the bare word, or as null.",
        infer(AFFINE, Tensor("x", "FP32", [1, 3], [_NAN, 1, 2])),
        OK,
        body_has(r"NaN|null"),
    ),
    _in_json.should(
        "infinity_is_written",
        "Infinity is written as the bare word.",
        infer(AFFINE, Tensor("x", "FP32", [1, 3], [_INFINITY, -_INFINITY, 2])),
        OK,
        body_has(r"[^-]Infinity[^\"]+-Infinity"),
    ),
    _in_json.must(
        "whole_for_float",
        "Floats may be written without a point.",
        one_type("FP32", [1, 2]),
        outputs(copy_of("FP32", [1.0, 2.0])),
    ),
    _in_json.must(
        "whole_is_whole",
        "Integers are answered without a point.",
        one_type("INT32", [1, 2]),
        OK,
        body_has(r'"data"\s*:\s*\[\s*1\s*,\s*2\s*\]'),
    ),
    _in_json.must(
        "texts",
        "BYTES are strings in JSON, of any letters.",
        strings("", "plain", "Привет ☃", 'quote " and \\ and \n', outputs=[wanted_output("copy")]),
        outputs(Tensor("copy", "BYTES", [4], ["", "plain", "Привет ☃", 'quote " and \\ and \n'])),
    ),
    _in_json.should(
        "no_text_as_json",
        "Bytes that are no UTF-8, and are asked for as JSON, are an error that says why.",
        infer(
            "conformance_text",
            Tensor("text", "BYTES", [1], [b"\xff\xfe"]).binary,
            outputs=[wanted_output("copy", binary_data=False)],
        ),
        *refuses(),
    ),
    _refused("text_for_number", "A string is no number.", "FP32", "1.5"),
    _refused("bool_for_number", "A boolean is no number.", "FP32", True),
    _refused("point_for_integer", "An integer has no point.", "INT32", 1.5),
    _refused(
        "point_zero_for_integer",
        "An integer has no point, not even with a zero behind it.",
        "INT32",
        1.0,
    ),
    _refused("number_for_bool", "A boolean is no number.", "BOOL", 1),
    _refused("null", "null is no integer.", "INT32", None),
    _refused("beyond_int8", "128 is beyond INT8: it does not wrap around.", "INT8", 128),
    _refused("beyond_uint8", "256 is beyond UINT8.", "UINT8", 256),
    _refused("below_uint8", "-1 is beyond UINT8.", "UINT8", -1),
    _refused("beyond_int32", "2147483648 is beyond INT32.", "INT32", 2**31),
    _refused("beyond_int64", "9223372036854775808 is beyond INT64.", "INT64", 2**63),
    _refused("beyond_uint64", "18446744073709551616 is beyond UINT64.", "UINT64", 2**64),
    _refused("below_uint64", "-1 is beyond UINT64.", "UINT64", -1),
    _in_json.should(
        "number_for_text",
        "A number is no BYTES.",
        infer("conformance_text", {"name": "text", "shape": [1], "datatype": "BYTES", "data": [1]}),
        *refuses(),
    ),
)
