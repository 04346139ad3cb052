"""Servers that speak the Open Inference Protocol, but wrongly."""

from __future__ import annotations

import struct

from tests.server.changing_proxy import LENGTH
from tests.server.wrong_protocols import (
    Wrong,
    answers,
    asked_json,
    binary,
    documents,
    drop,
    each_output,
    first_answers,
    put,
    texts,
    unloads_nothing,
    without,
)


def _reversed_bytes(tail: bytes) -> bytes:
    return b"".join(
        struct.pack(">I", *struct.unpack_from("<I", tail, at)) for at in range(0, len(tail) - 3, 4)
    )


def _swapped(tail: bytes) -> bytes:
    return tail[len(tail) // 2 :] + tail[: len(tail) // 2]


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
