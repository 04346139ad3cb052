"""Servers that are wrong in either protocol, or in both."""

from __future__ import annotations

from tests.server.changing_proxy import Answered
from tests.server.wrong_oip import OIP
from tests.server.wrong_protocols import (
    Wrong,
    answers,
    errors,
    packed,
    put,
    refusing,
    requests,
    stuck,
    texts,
)
from tests.server.wrong_tfserving import TFSERVING

_HTML = Answered(400, {"content-type": "text/html"}, b"<h1>Bad request</h1>")


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

WRONG_SERVERS = (*BOTH, *TFSERVING, *OIP)
