"""The contenders: what each server is sent, the no-op with JSON first, as the yardstick."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bodies import as_images, as_json, as_msgpack, as_packed_msgpack, as_protobuf
from benchmarks.load import Contender
from benchmarks.network import NAME, client, demo_model, predict, upload, upload_bundle
from benchmarks.servers import BenchmarkFailedError, Server

_SAVED = "bench-saved"
_DIGITS = "digits"
_BATCH_ROWS = 1000
_BATCH_PICTURES = 100
_MOST_DIFFERENCE = 1e-4


def store_models(tfaas: Server, bundle: Path) -> None:
    """Stores what the contenders ask for: the network, the same as a SavedModel, and the digits.

    Raises BenchmarkFailedError where the first two do not answer alike.
    """
    with client(tfaas.url) as to:
        upload(to, NAME)
        upload_bundle(to, _SAVED, bundle)
        upload_bundle(to, _DIGITS, demo_model(_DIGITS).model)
        answers = predict(to, NAME), predict(to, _SAVED)
    if abs(answers[0] - answers[1]) > _MOST_DIFFERENCE:
        raise BenchmarkFailedError(f"the graph and the SavedModel differ: {answers}")


def one_row(noop: Server, tfaas: Server) -> list[Contender]:
    """One row, or one picture."""
    return [
        Contender("no-op, JSON", noop, as_json(NAME, 1)),
        Contender("graph, JSON", tfaas, as_json(NAME, 1)),
        Contender("SavedModel, JSON", tfaas, as_json(_SAVED, 1)),
        Contender("graph, protobuf", tfaas, as_protobuf(NAME, 1)),
        Contender("graph, msgpack", tfaas, as_msgpack(NAME, 1)),
        Contender("digits, image", tfaas, as_images(_DIGITS, 1)),
    ]


def batches(noop: Server, tfaas: Server) -> list[Contender]:
    """Many rows in one request, or many pictures."""
    return [
        Contender("no-op, JSON", noop, as_json(NAME, _BATCH_ROWS)),
        Contender("graph, JSON", tfaas, as_json(NAME, _BATCH_ROWS)),
        Contender("graph, protobuf", tfaas, as_protobuf(NAME, _BATCH_ROWS)),
        Contender("graph, msgpack lists", tfaas, as_msgpack(NAME, _BATCH_ROWS)),
        Contender("graph, msgpack packed", tfaas, as_packed_msgpack(NAME, _BATCH_ROWS)),
        Contender("digits, images", tfaas, as_images(_DIGITS, _BATCH_PICTURES)),
    ]
