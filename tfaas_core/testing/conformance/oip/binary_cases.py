"""Cases: the extension for binary tensors."""

from __future__ import annotations

import struct
from typing import Any

from tfaas_core.testing.conformance.case import Case, Group
from tfaas_core.testing.conformance.exchange import HEADER_LENGTH, Ask, changed, post
from tfaas_core.testing.conformance.expect import OK, header, refuses
from tfaas_core.testing.conformance.models import AFFINE, PAIR, TEXT
from tfaas_core.testing.conformance.oip.asks import (
    ADDED,
    DIFFERENCE,
    ROW,
    ROW_BYTES,
    SUM,
    A,
    B,
    affine,
    asking,
    infer,
    pair,
    wanted_output,
)
from tfaas_core.testing.conformance.oip.outputs import outputs
from tfaas_core.testing.conformance.oip.tensors import Binary, Tensor, tensor_bytes

_binary = Group("oip.binary", "binary_tensor_data")

_TEXTS: list[Any] = ["", b"a\0b\0", b"\xff\xfe", "Привет"]
_TEXT = Tensor("text", "BYTES", [4], _TEXTS)
_LARGE = b"\x00\xff" * 1_000_000

_INPUT = infer(AFFINE, ROW.binary)


def _with_length(length: str) -> Ask:
    return changed(_INPUT, {HEADER_LENGTH: length})


def _raw(content: bytes) -> Ask:
    return post(f"/v2/models/{AFFINE}/infer", content, headers={HEADER_LENGTH: "0"}, model=AFFINE)


def _wrong(name: str, sentence: str, ask: Ask) -> Case:
    return _binary.must(name, sentence, ask, *refuses())


def _text_of(content: bytes) -> Ask:
    return infer(TEXT, Binary(Tensor("text", "BYTES", [1], []), content))


BINARY_CASES = (
    _binary.must(
        "input",
        f"The values of an input may be behind the JSON, whose length is in {HEADER_LENGTH}.",
        _INPUT,
        outputs(ADDED),
    ),
    _binary.must(
        "output",
        "An output with binary_data is answered so.",
        affine(1, 2, 3, outputs=[wanted_output("y", binary_data=True)]),
        OK,
        outputs(ADDED, form="binary"),
    ),
    _binary.must(
        "output_header",
        f"An answer with binary tensors has {HEADER_LENGTH}.",
        affine(1, 2, 3, outputs=[wanted_output("y", binary_data=True)]),
        OK,
        header(HEADER_LENGTH, r"\d+$"),
    ),
    _binary.should(
        "output_content_type",
        "The Content-Type of such an answer is application/octet-stream.",
        affine(1, 2, 3, outputs=[wanted_output("y", binary_data=True)]),
        OK,
        header("Content-Type", "application/octet-stream"),
    ),
    _binary.must(
        "both_ways",
        "Inputs and outputs may both be binary.",
        infer(PAIR, A.binary, B.binary, outputs=[wanted_output("sum", binary_data=True)]),
        outputs(SUM, form="binary"),
    ),
    _binary.must(
        "all_outputs",
        "binary_data_output of a request asks for all outputs so.",
        pair(parameters={"binary_data_output": True}),
        outputs(SUM, DIFFERENCE, form="binary"),
    ),
    _binary.must(
        "overridden",
        "binary_data of an output overrides binary_data_output of the request.",
        pair(
            parameters={"binary_data_output": True},
            outputs=[
                wanted_output("sum", binary_data=False),
                wanted_output("difference", binary_data=False),
            ],
        ),
        outputs(SUM, DIFFERENCE),
    ),
    _binary.must(
        "one_of_two",
        "One output may be binary, and another one JSON.",
        pair(outputs=[wanted_output("difference", binary_data=True), wanted_output("sum")]),
        outputs(SUM, DIFFERENCE, form="any"),
    ),
    _binary.must(
        "order",
        "Binary inputs stand in the order of the JSON.",
        infer(PAIR, B.binary, A.binary),
        outputs(SUM, DIFFERENCE),
    ),
    _binary.must(
        "mixed",
        "One input may be binary, and another one in the JSON.",
        infer(PAIR, A, B.binary),
        outputs(SUM, DIFFERENCE),
    ),
    _binary.must(
        "bytes",
        "Each element of BYTES has its length before it, as 4 bytes, and may be any bytes.",
        infer(TEXT, _TEXT.binary, outputs=[wanted_output("copy", binary_data=True)]),
        outputs(Tensor("copy", "BYTES", [4], _TEXTS), form="binary"),
    ),
    _binary.must(
        "no_rows",
        "An empty tensor has no bytes.",
        infer(
            AFFINE,
            Tensor("x", "FP32", [0, 3], []).binary,
            outputs=[wanted_output("y", binary_data=True)],
        ),
        outputs(Tensor("y", "FP32", [0, 3], []), form="any"),
    ),
    _binary.must(
        "large",
        "An element of 2 MB is answered.",
        infer(
            TEXT,
            Tensor("text", "BYTES", [1], [_LARGE]).binary,
            outputs=[wanted_output("copy", binary_data=True)],
        ),
        outputs(Tensor("copy", "BYTES", [1], [_LARGE]), form="binary"),
    ),
    _binary.must(
        "whole_body",
        f"{HEADER_LENGTH} may be that of the whole body: then nothing is binary.",
        asking(AFFINE, {"inputs": [ROW.json]}, b""),
        outputs(ADDED),
    ),
    _binary.must(
        "chunked",
        "The body may come in chunks.",
        changed(_INPUT, is_chunked=True),
        outputs(ADDED),
    ),
    _binary.should(
        "raw",
        f"With a {HEADER_LENGTH} of 0, the whole body is the only input, and outputs are binary.",
        _raw(ROW_BYTES),
        outputs(ADDED, form="binary"),
    ),
    _wrong("length_no_number", f"{HEADER_LENGTH} is a number.", _with_length("many")),
    _wrong("negative_length", "The length of the JSON is not negative.", _with_length("-1")),
    _wrong(
        "length_beyond", "The length of the JSON is not beyond the body.", _with_length("100000")
    ),
    _wrong("length_too_short", "The length of the JSON is not within it.", _with_length("10")),
    _wrong(
        "too_few_bytes",
        "There are as many bytes as the inputs have.",
        infer(AFFINE, Binary(ROW, ROW_BYTES[:-4], len(ROW_BYTES))),
    ),
    _wrong(
        "too_many_bytes",
        "There are no more bytes than the inputs have.",
        infer(AFFINE, Binary(ROW, ROW_BYTES + b"\0" * 4, len(ROW_BYTES))),
    ),
    _wrong(
        "other_size",
        "An input has as many bytes as its shape and its datatype say.",
        infer(AFFINE, Binary(ROW, ROW_BYTES[:8])),
    ),
    _wrong(
        "negative_size",
        "A binary_data_size is not negative.",
        infer(AFFINE, Binary(ROW, ROW_BYTES, -12)),
    ),
    _wrong(
        "size_no_number",
        "A binary_data_size is a whole number.",
        infer(AFFINE, Binary(ROW, ROW_BYTES, "12")),
    ),
    _wrong(
        "element_beyond",
        "No element of BYTES runs past the tensor's end.",
        _text_of(struct.pack("<I", 100) + b"short"),
    ),
    _wrong("element_cut", "The length of an element of BYTES has four bytes.", _text_of(b"\1\0")),
    _wrong(
        "too_many_elements",
        "There are as many elements of BYTES as the shape says.",
        _text_of(tensor_bytes("BYTES", ["one", "two"])),
    ),
    _wrong(
        "too_few_elements",
        "There are no fewer elements of BYTES than the shape says.",
        _text_of(b""),
    ),
)
