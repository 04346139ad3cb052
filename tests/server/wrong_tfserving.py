"""Servers that speak TensorFlow Serving's REST API, but wrongly."""

from __future__ import annotations

from typing import Any

from tests.server.changing_proxy import Answered
from tests.server.wrong_protocols import (
    Wrong,
    answers,
    asked_json,
    documents,
    drop,
    refusing,
    texts,
)


def _rewrapped(document: Any) -> None:
    document["metadata"]["signature_def"] = document["metadata"]["signature_def"]["signature_def"]


def _widened(told: Answered) -> Answered:
    return told._replace(body=told.body.replace(b"0.1]", b"0.10000000149011612]"))


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
