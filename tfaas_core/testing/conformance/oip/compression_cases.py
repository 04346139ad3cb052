"""Cases: compressed bodies of inference, and compressed answers."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group
from tfaas_core.testing.conformance.exchange import changed, compressed
from tfaas_core.testing.conformance.expect import OK, REFUSED, UNPACKED, refuses, status
from tfaas_core.testing.conformance.models import AFFINE
from tfaas_core.testing.conformance.oip.asks import ADDED, ROW, affine, infer, wanted_output
from tfaas_core.testing.conformance.oip.outputs import outputs
from tfaas_core.testing.conformance.oip.tensors import Tensor

_compression = Group("oip.compression")
_binary = Group("oip.compression", "binary_tensor_data")

_ROWS = 2_000
_LONG: dict[str, Any] = {"x": Tensor("x", "FP32", [_ROWS, 3], [1.0] * 3 * _ROWS)}
_LONG_ANSWER = Tensor("y", "FP32", [_ROWS, 3], [3.0] * 3 * _ROWS)


def _accepted(name: str, sentence: str, accepted: str, *more: Any) -> Case:
    ask = changed(infer(AFFINE, _LONG["x"]), {"Accept-Encoding": accepted})
    return _compression.must(name, sentence, ask, OK, outputs(_LONG_ANSWER), *more)


_GZIP = compressed(affine(1, 2, 3), "gzip")

COMPRESSION_CASES = (
    _compression.must("gzip", "A body may be gzip.", _GZIP, outputs(ADDED)),
    _compression.must(
        "deflate",
        "A body may be deflate, which is zlib's format.",
        compressed(affine(1, 2, 3), "deflate"),
        outputs(ADDED),
    ),
    _compression.must(
        "identity",
        "A body may be identity, which is no compression.",
        changed(affine(1, 2, 3), {"Content-Encoding": "identity"}),
        outputs(ADDED),
    ),
    _binary.must(
        "gzip_of_binary",
        "The whole body is compressed; the length of the JSON is that before compression.",
        compressed(infer(AFFINE, ROW.binary), "gzip"),
        outputs(ADDED),
    ),
    _compression.should(
        "unknown",
        "Another compression is refused, by a 415 or a 501.",
        changed(affine(1, 2, 3), {"Content-Encoding": "zstd"}),
        status(415, 501, 400),
    ),
    _compression.must(
        "no_gzip",
        "What is no gzip, though it says so, is the client's error.",
        changed(affine(1, 2, 3), {"Content-Encoding": "gzip"}),
        *refuses(),
    ),
    _compression.must(
        "cut_gzip",
        "gzip that does not end is the client's error.",
        changed(_GZIP, body=(_GZIP.body or b"")[:-12]),
        REFUSED,
    ),
    _accepted("accept_gzip", "An answer may be gzip if that is accepted.", "gzip"),
    _accepted("accept_deflate", "An answer may be deflate if that is accepted.", "deflate"),
    _accepted(
        "never_br",
        "An answer is never br: asynchronous clients accept that, and cannot unpack it.",
        "br, gzip;q=0, deflate;q=0",
        UNPACKED,
    ),
    _accepted(
        "accept_none", "An answer is not compressed if nothing is accepted.", "identity", UNPACKED
    ),
    _binary.must(
        "answer_of_binary",
        "An answer with binary tensors is compressed as a whole.",
        changed(
            infer(AFFINE, _LONG["x"], outputs=[wanted_output("y", binary_data=True)]),
            {"Accept-Encoding": "gzip"},
        ),
        OK,
        outputs(_LONG_ANSWER, form="binary"),
    ),
)
