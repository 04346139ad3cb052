"""The wrong servers: of both protocols, and of each."""

from __future__ import annotations

import struct
from typing import Any

from tests.server.changing_proxy import LENGTH, Answered
from tests.server.wrong_protocols import (
    Wrong,
    answers,
    asked_json,
    binary,
    documents,
    drop,
    each_output,
    errors,
    first_answers,
    packed,
    put,
    refusing,
    requests,
    stuck,
    texts,
    unloads_nothing,
    without,
)

_HTML = Answered(400, {"content-type": "text/html"}, b"<h1>Bad request</h1>")


def _rewrapped(document: Any) -> None:
    document["metadata"]["signature_def"] = document["metadata"]["signature_def"]["signature_def"]


def _widened(told: Answered) -> Answered:
    return told._replace(body=told.body.replace(b"0.1]", b"0.10000000149011612]"))


def _reversed_bytes(tail: bytes) -> bytes:
    return b"".join(
        struct.pack(">I", *struct.unpack_from("<I", tail, at)) for at in range(0, len(tail) - 3, 4)
    )


def _swapped(tail: bytes) -> bytes:
    return tail[len(tail) // 2 :] + tail[: len(tail) // 2]


def _without_version(path: str) -> str:
    return path.replace("/versions/1", "")


BOTH = (
    Wrong(
        "takes its clients' errors for its own",
        errors(lambda told: told._replace(status=500)),
        ("oip.errors.no_json", "oip.metadata.unknown_model", "tfserving.errors.no_json"),
    ),
    Wrong(
        "says why in HTML",
        errors(lambda told: _HTML._replace(status=told.status)),
        ("oip.errors.no_json", "oip.server.unknown_path", "tfserving.errors.no_rows"),
    ),
    Wrong(
        "says why in JSON of another form",
        errors(lambda told: told.with_json(lambda d: {"error": {"message": d["error"]}})),
        ("oip.errors.no_inputs", "tfserving.names.model"),
    ),
    Wrong(
        "calls JSON text",
        errors(lambda told: told.with_header("content-type", "text/plain")),
        ("oip.errors.no_inputs", "tfserving.errors.empty"),
    ),
    Wrong(
        "says the same of each error",
        errors(lambda told: told.with_json(put("error", "bad request"))),
        ("tfserving.errors.no_json_says", "tfserving.texts.says_no_base64"),
    ),
    Wrong(
        "answers by the newest version, whichever was asked",
        requests(lambda sent: sent._replace(path=_without_version(sent.path))),
        ("oip.infer.first_version", "oip.infer.model", "tfserving.versions.first"),
    ),
    Wrong(
        "takes a query for a part of the path",
        refusing(404, lambda sent: "?" in sent.path),
        ("oip.health.query", "oip.metadata.query", "oip.infer.query", "tfserving.http.query"),
    ),
    Wrong(
        "does not decode names",
        refusing(404, lambda sent: "%5F" in sent.path),
        ("oip.metadata.encoded_name", "tfserving.http.encoded_name"),
    ),
    Wrong(
        "wants to be told that a body is JSON",
        refusing(415, lambda sent: "urlencoded" in sent.headers.get("content-type", "")),
        ("oip.infer.content_type", "tfserving.http.content_type"),
    ),
    Wrong(
        "does not read chunks",
        refusing(411, lambda sent: "was-chunked" in sent.headers),
        ("oip.infer.chunked", "oip.binary.chunked", "tfserving.http.chunked"),
    ),
    Wrong(
        "does not unpack bodies",
        requests(
            lambda sent: sent._replace(
                headers={n: v for n, v in sent.headers.items() if n != "content-encoding"}
            )
        ),
        ("oip.compression.gzip", "oip.compression.deflate", "tfserving.http.gzip"),
    ),
    Wrong(
        "packs errors and metadata, too",
        answers(packed, ok_only=False),
        ("oip.server.uncompressed", "oip.metadata.uncompressed", "oip.errors.uncompressed"),
    ),
    Wrong(
        "says that it packs what it does not",
        answers(lambda told: told.with_header("content-encoding", "gzip")),
        ("oip.infer.row", "tfserving.rows.plain"),
    ),
    Wrong(
        "packs by what no client knows",
        answers(lambda told: told.with_header("content-encoding", "br")),
        ("oip.compression.never_br", "tfserving.rows.plain"),
    ),
    Wrong(
        "ends after an error",
        stuck(),
        ("oip.errors.goes_on",),
    ),
    Wrong(
        "hangs up after each answer",
        answers(lambda told: told.with_header("connection", "close")),
        ("oip.infer.kept_alive",),
    ),
    Wrong(
        "passes whole numbers through floats",
        texts("9007199254740993", "9007199254740992"),
        ("oip.datatypes.int64", "oip.datatypes.uint64", "tfserving.types.uint64"),
    ),
    Wrong(
        "writes whole numbers as floats",
        texts(r"\b1,2\b", "1.0,2.0"),
        ("oip.datatypes.whole_is_whole",),
    ),
    Wrong(
        "loses what is not ASCII",
        answers(lambda told: told._replace(body=told.body.decode().encode("ascii", "replace"))),
        ("oip.infer.unicode_id", "oip.datatypes.texts", "tfserving.texts.plain"),
    ),
)

TFSERVING = (
    Wrong(
        "writes float32 as float64",
        answers(_widened, ":predict"),
        ("tfserving.types.short",),
    ),
    Wrong(
        "writes whole floats without a point",
        texts(r"\.0\b", ""),
        ("tfserving.rows.looks_like_floats",),
    ),
    Wrong(
        "writes null for NaN",
        texts("NaN|-?Infinity", "null"),
        ("tfserving.types.nan_is_written", "tfserving.types.made_infinity"),
    ),
    Wrong(
        "reads no NaN",
        refusing(400, lambda sent: b"NaN" in sent.body),
        ("tfserving.types.nan_is_read", "oip.datatypes.nan_is_read"),
    ),
    Wrong(
        "names the only output",
        documents(
            lambda d: {"predictions": [{"y": v} for v in d["predictions"]]}, "affine:predict"
        ),
        ("tfserving.rows.plain", "tfserving.rows.batch"),
    ),
    Wrong(
        "answers rows with a list too many",
        documents(lambda d: {"predictions": [d["predictions"]]}, "affine:predict"),
        ("tfserving.rows.plain",),
    ),
    Wrong(
        "answers result for results",
        documents(lambda d: {"result": d["results"]}, ":(classify|regress)"),
        ("tfserving.classify.pairs", "tfserving.regress.values"),
    ),
    Wrong(
        "does not know contexts",
        asked_json(drop("context")),
        ("tfserving.regress.context", "tfserving.regress.context_overridden"),
    ),
    Wrong(
        "does not know signatures",
        asked_json(drop("signature_name")),
        ("tfserving.rows.signature", "tfserving.columns.scalar", "tfserving.classify.scores"),
    ),
    Wrong(
        "writes bytes as text",
        documents(lambda d: {"predictions": ["one", "two"]}, "text:predict"),
        ("tfserving.texts.encoded_output",),
    ),
    Wrong(
        "writes versions as numbers",
        texts(r'"version":\s*"(\d+)"', r'"version":\1'),
        ("tfserving.status.version", "tfserving.metadata.model_spec", "oip.statistics.version"),
    ),
    Wrong(
        "leaves out what has its default",
        texts(r',\s*"error_message":\s*""|,\s*"unknown_rank":\s*false', ""),
        ("tfserving.status.version", "tfserving.metadata.defaults"),
    ),
    Wrong(
        "has each key once", documents(_rewrapped, "/metadata"), ("tfserving.metadata.signatures",)
    ),
    Wrong(
        "writes sizes as numbers",
        texts(r'"size":\s*"(-?\d+)"', r'"size":\1'),
        ("tfserving.metadata.shape",),
    ),
    Wrong(
        "lists the lowest version first",
        documents(lambda d: d["model_version_status"].reverse(), "affine$"),
        ("tfserving.status.order",),
    ),
    Wrong(
        "knows no labels",
        refusing(404, lambda sent: "/labels/" in sent.path),
        ("tfserving.names.label",),
    ),
    Wrong(
        "enforces shapes",
        refusing(400, lambda sent: b"[1.0, 2.0" in sent.body),
        ("tfserving.rows.other_rank", "tfserving.rows.other_size", "tfserving.columns.other_rank"),
    ),
)

OIP = (
    Wrong("forgets ids", documents(drop("id"), "/infer"), ("oip.infer.id", "oip.infer.unicode_id")),
    Wrong(
        "makes ids of numbers",
        documents(put("id", 7), "/infer"),
        ("oip.infer.id", "oip.infer.no_id"),
    ),
    Wrong("answers all outputs", asked_json(drop("outputs")), ("oip.infer.one_output",)),
    Wrong(
        "gives versions as numbers",
        documents(put("model_version", 1), "/infer"),
        ("oip.infer.model",),
    ),
    Wrong(
        "nests values",
        each_output(lambda o: put("data", [o["data"]])(o)),
        ("oip.infer.answer_is_flat",),
    ),
    Wrong(
        "answers the shape that it declares",
        each_output(put("shape", [-1, 3])),
        ("oip.infer.row", "oip.infer.batch"),
    ),
    Wrong(
        "names datatypes as NumPy does",
        texts('"FP32"', '"float32"', "/v2"),
        ("oip.metadata.model", "oip.metadata.datatypes", "oip.infer.row"),
    ),
    Wrong(
        "is ready for all that there is not",
        answers(lambda told: told._replace(status=200, body=b""), "/ready$", ok_only=False),
        ("oip.health.unknown_model", "oip.health.unknown_version", "oip.repository.unload"),
    ),
    Wrong(
        "tells one extension", documents(put("extensions", "all"), "/v2$"), ("oip.server.metadata",)
    ),
    Wrong("has no platform", documents(drop("platform"), "affine"), ("oip.metadata.platform",)),
    Wrong(
        "forgets how long the JSON is",
        answers(lambda told: without(told, LENGTH), "/infer"),
        ("oip.binary.output", "oip.binary.output_header", "oip.datatypes.binary.fp32"),
    ),
    Wrong("writes the upper byte first", binary(_reversed_bytes), ("oip.datatypes.binary.int32",)),
    Wrong("mixes up tensors", binary(_swapped), ("oip.binary.all_outputs",)),
    Wrong("sends more than it says", binary(lambda tail: tail + b"\0"), ("oip.binary.output",)),
    Wrong("sends less than it says", binary(lambda tail: tail[:-1]), ("oip.binary.output",)),
    Wrong(
        "does not know binary_data_output",
        asked_json(drop("parameters")),
        ("oip.binary.all_outputs",),
    ),
    Wrong(
        "always answers binary tensors",
        asked_json(lambda d: d.update(parameters={"binary_data_output": True}, outputs=[])),
        ("oip.infer.row", "oip.infer.is_json", "oip.binary.overridden"),
    ),
    Wrong("does not classify", asked_json(drop("outputs")), ("oip.classification.largest",)),
    Wrong(
        "gives the last class first",
        each_output(lambda o: o["data"].reverse() if o["datatype"] == "BYTES" else None),
        ("oip.classification.largest", "oip.classification.ties"),
    ),
    Wrong(
        "writes classes without decimals",
        texts(r"\.000000:", ".0:"),
        ("oip.classification.six_decimals",),
    ),
    Wrong("never counts", first_answers(), ("oip.statistics.success", "oip.statistics.inferences")),
    Wrong(
        "counts in strings",
        texts(r'"count":\s*(\d+)', r'"count":"\1"', "/stats"),
        ("oip.statistics.counts", "oip.statistics.success"),
    ),
    Wrong("unloads nothing", unloads_nothing, ("oip.repository.unload",)),
    Wrong(
        "gives models, and no list",
        documents(lambda d: {"models": d}, "/index"),
        ("oip.repository.index", "oip.repository.versions", "oip.repository.ready_alone"),
    ),
    Wrong(
        "calls states otherwise",
        texts('"READY"', '"AVAILABLE"', "/index"),
        ("oip.repository.index", "oip.repository.ready_alone"),
    ),
)

WRONG_SERVERS = (*BOTH, *TFSERVING, *OIP)
