"""Cases: values of each dtype, and texts."""

from __future__ import annotations

import base64
from typing import Any

from tfaas_core.testing.conformance.case import Case, Group
from tfaas_core.testing.conformance.expect import (
    OK,
    REFUSED,
    body_has,
    error_with,
    is_json,
    refuses,
    status,
)
from tfaas_core.testing.conformance.likeness import Near
from tfaas_core.testing.conformance.models import HALVES, TEXT, TYPES
from tfaas_core.testing.conformance.tfserving.asks import columns, of_type, rows, texts

_types = Group("tfserving.types")

_REACH: dict[str, tuple[str, list[Any]]] = {
    "bool": ("are true and false", [True, False]),
    "int8": ("reach from -128 to 127", [-128, 127]),
    "int16": ("reach from -32768 to 32767", [-32768, 32767]),
    "int32": ("reach from -2147483648 to 2147483647", [-(2**31), 2**31 - 1]),
    "int64": ("keep all their digits", [-(2**63), 2**53 + 1, 2**63 - 1]),
    "uint8": ("reach to 255", [0, 255]),
    "uint32": ("reach to 4294967295", [0, 2**32 - 1]),
    "uint64": ("keep all their digits", [0, 2**53 + 1, 2**64 - 1]),
    "fp32": ("are numbers", [0.0, -1.5, 1e30, 1e-30]),
    "fp64": ("are exact", [Near(0.1), Near(-1e300), Near(1.7976931348623157e308)]),
}


def _copied(name: str) -> Case:
    words, values = _REACH[name]
    answer = is_json({"predictions": values})
    sentence = f"Values of the signature {name} {words}."
    return _types.must(name, sentence, of_type(name, *values), OK, answer)


def _refused(name: str, sentence: str, dtype: str, value: Any) -> Case:
    return _types.must(name, sentence, of_type(dtype, value), *refuses(400))


def _number_or_error(name: str, dtype: str, model: str) -> Case:
    return _types.should(
        name,
        f"Values of {dtype} are numbers, or an error that says why.",
        rows(model, 1, 2, signature_name=dtype),
        status(200, 400, 501),
    )


TYPE_CASES = (
    *map(_copied, _REACH),
    _types.must(
        "columns",
        "Values are the same in column format.",
        columns(TYPES, [2**63 - 1], signature_name="int64"),
        OK,
        is_json({"outputs": [2**63 - 1]}),
    ),
    _types.must(
        "nan_is_read",
        "NaN, Infinity and -Infinity are read as bare words.",
        of_type("fp32", float("nan"), float("inf"), float("-inf")),
        OK,
    ),
    _types.must(
        "nan_is_written",
        "NaN, Infinity and -Infinity are written as bare words.",
        of_type("fp32", float("nan"), float("inf"), float("-inf")),
        OK,
        body_has(r"\[\s*NaN\s*,\s*Inf(inity)?\s*,\s*-Inf(inity)?\s*\]"),
    ),
    _types.must(
        "nan_of_double",
        "NaN of float64 is written as a bare word, too.",
        of_type("fp64", float("nan")),
        OK,
        body_has(r"\[\s*NaN\s*\]"),
    ),
    _types.must(
        "made_infinity",
        "Infinity that the model makes is written so.",
        rows("conformance_affine", 0.0, signature_name="inverse"),
        OK,
        body_has(r"\[\s*Inf(inity)?\s*\]"),
    ),
    _types.must(
        "short",
        "float32 is not written with the digits of float64.",
        of_type("fp32", 0.1),
        OK,
        body_has(r"\[\s*0?\.10*\s*\]|\[\s*1(\.0*)?e-0*1\s*\]"),
    ),
    _types.must(
        "whole_for_float",
        "Whole and decimal numbers may be mixed.",
        of_type("fp32", 1, 2.5),
        OK,
        is_json({"predictions": [1.0, 2.5]}),
    ),
    _types.should(
        "beyond_float",
        "What is beyond float32 becomes Infinity.",
        of_type("fp32", 1e300),
        OK,
        body_has("Inf"),
    ),
    _number_or_error("half", "fp16", HALVES),
    _number_or_error("bfloat16", "bf16", HALVES),
    _number_or_error("uint16", "uint16", TYPES),
    _refused("point_for_integer", "An integer has no point.", "int32", 1.5),
    _refused(
        "point_zero_for_integer",
        "An integer has no point, not even with a zero behind it.",
        "int64",
        1.0,
    ),
    _refused("bool_for_integer", "A boolean is no integer.", "int32", True),
    _refused("number_for_bool", "A number is no boolean.", "bool", 1),
    _refused("text_for_float", "A string is no number.", "fp32", "1.5"),
    _refused("text_for_integer", "A string of digits is no integer.", "int32", "1"),
    _refused("null", "null is no value.", "fp32", None),
    _refused("beyond_int32", "2147483648 is beyond int32.", "int32", 2**31),
    _refused("beyond_int64", "9223372036854775808 is beyond int64.", "int64", 2**63),
    _refused("beyond_uint32", "4294967296 is beyond uint32.", "uint32", 2**32),
    _refused("below_uint32", "-1 is beyond uint32.", "uint32", -1),
    _refused("beyond_uint64", "18446744073709551616 is beyond uint64.", "uint64", 2**64),
    _refused("below_uint64", "-1 is beyond uint64.", "uint64", -1),
    _types.should(
        "beyond_int8",
        "128 is beyond int8: it does not wrap around.",
        of_type("int8", 128),
        *refuses(400),
    ),
    _types.should("below_uint8", "-1 is beyond uint8.", of_type("uint8", -1), *refuses(400)),
    _types.should(
        "says_which",
        "An error of a value's type names the type that is expected.",
        of_type("fp32", "1.5"),
        status(400),
        error_with("is not of expected type"),
    ),
)

_texts = Group("tfserving.texts")


def _b64(content: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(content).decode()}


def _said(*values: Any) -> Any:
    return is_json({"predictions": list(values)})


_UNICODE = 'Привет ☃ " \\ \n'

TEXT_CASES = (
    _texts.must(
        "plain",
        "Strings are strings, of any letters.",
        texts("plain", "", "one", _UNICODE),
        OK,
        _said("", "one", _UNICODE),
    ),
    _texts.must(
        "b64_input", "A string may be base64.", texts("plain", _b64(b"one")), OK, _said("one")
    ),
    _texts.must(
        "b64_and_plain",
        "base64 and plain strings may stand beside each other.",
        texts("plain", _b64(b"one"), "two"),
        OK,
        _said("one", "two"),
    ),
    _texts.must(
        "b64_of_columns",
        "A string may be base64 in column format, too.",
        columns(TEXT, [_b64(b"one")], signature_name="plain"),
        OK,
        is_json({"outputs": ["one"]}),
    ),
    _texts.must(
        "named_b64",
        "A row that is an object with further keys names inputs, and their values may be base64.",
        texts("plain", {"text": _b64(b"one")}),
        OK,
        _said("one"),
    ),
    _texts.must(
        "encoded_output",
        "An output whose name ends in _bytes is answered as base64, though its name be left out.",
        texts("encoded", "one", _b64(b"\xff\0")),
        OK,
        _said(_b64(b"one"), _b64(b"\xff\0")),
    ),
    _texts.must(
        "both_outputs",
        "Each output is written as its name says.",
        rows(TEXT, "one"),
        OK,
        _said({"copy": "one", "copy_bytes": _b64(b"one")}),
    ),
    _texts.should(
        "no_padding",
        "The padding of base64 may be left out.",
        texts("plain", {"b64": "YQ"}),
        OK,
        _said("a"),
    ),
    _texts.should(
        "white_space",
        "There may be white space in base64.",
        texts("plain", {"b64": "Y\nQ =="}),
        OK,
        _said("a"),
    ),
    _texts.should(
        "other_alphabet",
        "The alphabet for URLs is not that of base64.",
        texts("encoded", {"b64": "-_-_"}),
        *refuses(400),
    ),
    _texts.should(
        "no_text",
        "Bytes that are no UTF-8, of an output without that suffix, are base64 or an error.",
        texts("plain", _b64(b"\xff\xfe")),
        status(200, 400),
        body_has(r"b64|error"),
    ),
    _texts.must("number", "A number is no string.", texts("plain", 1), *refuses(400)),
    _texts.must("boolean", "A boolean is no string.", texts("plain", True), *refuses(400)),
    _texts.must(
        "no_base64",
        "What is no base64 is refused.",
        texts("plain", {"b64": "!!!"}),
        *refuses(400),
    ),
    _texts.should(
        "says_no_base64",
        "The error says that it is no base64.",
        texts("plain", {"b64": "!!!"}),
        status(400),
        error_with("base64"),
    ),
    _texts.must("b64_no_text", "base64 is a string.", texts("plain", {"b64": 1}), REFUSED),
    _texts.must(
        "b64_with_more",
        "An object with a further key is no base64.",
        columns(TEXT, [{"b64": "YQ==", "note": "a"}], signature_name="plain"),
        *refuses(400),
    ),
    _texts.must(
        "b64_for_number",
        "base64 is no number.",
        of_type("fp32", _b64(b"\0\0\0\0")),
        *refuses(400),
    ),
)
