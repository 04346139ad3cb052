"""The contenders: what each server is sent, the no-op with JSON first, as the yardstick."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks import tiny_models
from benchmarks.bodies import (
    Body,
    as_binary_oip,
    as_columns,
    as_form,
    as_images,
    as_instances,
    as_json,
    as_msgpack,
    as_oip,
    as_packed_msgpack,
    as_protobuf,
    float_rows,
)
from benchmarks.load import Contender
from benchmarks.network import (
    NAME,
    client,
    demo_model,
    predict,
    upload,
    upload_bundle,
    upload_graph,
)
from benchmarks.pictures import jpeg_640x480, levels_640x480, png_28
from benchmarks.reading import json_rows, picture
from benchmarks.servers import BenchmarkFailedError, Server

THREE = ("bench-1", "bench-2", "bench-3")
NOOP = "no-op, JSON"
GRAPH = "graph, JSON"
IMAGE = "digits, image"
LISTS = "graph, msgpack lists"
DATA_FRAME = "graph, protobuf"
INSTANCES, COLUMNS = "TensorFlow Serving, instances", "TensorFlow Serving, inputs"
OIP_JSON, OIP_BINARY = "Open Inference, JSON", "Open Inference, binary"

_SAVED = "bench-saved"
_DIGITS = "digits"
BATCH_ROWS = 1000
_BATCH_PICTURES = 100
_MOST_DIFFERENCE = 1e-4
_INPUT = "particles"
_TINY = (
    tiny_models.GREY_28,
    tiny_models.COLOUR_224,
    tiny_models.COLOUR_480X640,
    tiny_models.LEVELS_480X640,
)


def store_models(tfaas: Server, bundle: Path, tiny: Mapping[str, Path]) -> None:
    """Stores what the contenders ask for: the network several times, and models for pictures.

    Raises BenchmarkFailedError where graph and SavedModel do not answer alike.
    """
    with client(tfaas.url) as to:
        for name in (NAME, *THREE):
            upload(to, name)
        upload_bundle(to, _SAVED, bundle)
        upload_bundle(to, _DIGITS, demo_model(_DIGITS).model)
        for name in _TINY:
            upload_graph(to, name, tiny[name])
        answers = predict(to, NAME), predict(to, _SAVED)
    if abs(answers[0] - answers[1]) > _MOST_DIFFERENCE:
        raise BenchmarkFailedError(f"the graph and the SavedModel differ: {answers}")


def one_row(noop: Server, tfaas: Server) -> list[Contender]:
    """One row, or one picture."""
    return [
        Contender(NOOP, noop, [as_json(NAME, 1)]),
        Contender(GRAPH, tfaas, [as_json(NAME, 1)]),
        Contender("SavedModel, JSON", tfaas, [as_json(_SAVED, 1)]),
        Contender("graph, protobuf", tfaas, [as_protobuf(NAME, 1)]),
        Contender("graph, msgpack", tfaas, [as_msgpack(NAME, 1)]),
        Contender(IMAGE, tfaas, [as_images(_DIGITS, 1)]),
    ]


def new_connections(noop: Server, tfaas: Server) -> list[Contender]:
    """One row, each by a connection of its own."""
    return [
        Contender(NOOP, noop, [as_json(NAME, 1)], keep_alive=False),
        Contender(GRAPH, tfaas, [as_json(NAME, 1)], keep_alive=False),
    ]


def several_models(noop: Server, tfaas: Server) -> list[Contender]:
    """One row, to one model and to three copies of it in turn."""
    return [
        Contender(NOOP, noop, [as_json(NAME, 1)]),
        Contender("one graph, JSON", tfaas, [as_json(NAME, 1)]),
        Contender("three graphs, JSON", tfaas, [as_json(name, 1) for name in THREE]),
    ]


def json_batches(noop: Server, tfaas: Server, rows: int) -> list[Contender]:
    """So many rows in one request."""
    body = as_json(NAME, rows)
    read = partial(json_rows, body.content)
    return [Contender(NOOP, noop, [body]), Contender(GRAPH, tfaas, [body], read=read)]


def batches(noop: Server, tfaas: Server) -> list[Contender]:
    """1000 rows in one request, or 100 pictures."""
    return [
        Contender(NOOP, noop, [as_json(NAME, BATCH_ROWS)]),
        Contender(GRAPH, tfaas, [as_json(NAME, BATCH_ROWS)]),
        Contender(DATA_FRAME, tfaas, [as_protobuf(NAME, BATCH_ROWS)]),
        Contender(LISTS, tfaas, [as_msgpack(NAME, BATCH_ROWS)]),
        Contender("graph, msgpack packed", tfaas, [as_packed_msgpack(NAME, BATCH_ROWS)]),
        Contender("digits, images", tfaas, [as_images(_DIGITS, _BATCH_PICTURES)]),
    ]


def protocols(noop: Server, tfaas: Server, rows: int) -> list[Contender]:
    """So many rows in one request, as clients of other servers send them."""
    return [
        Contender(NOOP, noop, [as_json(NAME, rows)]),
        Contender(GRAPH, tfaas, [as_json(NAME, rows)]),
        Contender(INSTANCES, tfaas, [as_instances(NAME, rows)]),
        Contender(COLUMNS, tfaas, [as_columns(NAME, rows)]),
        Contender(OIP_JSON, tfaas, [as_oip(NAME, _INPUT, rows)]),
        Contender(OIP_BINARY, tfaas, [_binary(rows)]),
    ]


def _binary(rows: int) -> Body:
    return as_binary_oip(NAME, _INPUT, float_rows(rows))


def pictures(noop: Server, tfaas: Server) -> list[Contender]:
    """One picture, to models of its own size and of a smaller one."""
    png, jpeg = png_28(), jpeg_640x480()
    levels = as_binary_oip(tiny_models.LEVELS_480X640, "x", levels_640x480()[None])
    read_png, read_jpeg = partial(picture, png), partial(picture, jpeg)
    return [
        Contender(NOOP, noop, [as_json(NAME, 1)]),
        Contender("28 x 28 PNG", tfaas, [as_form(tiny_models.GREY_28, [png])], read=read_png),
        Contender(
            "640 x 480 JPEG", tfaas, [as_form(tiny_models.COLOUR_480X640, [jpeg])], read=read_jpeg
        ),
        Contender(
            "640 x 480 JPEG, to 224 x 224",
            tfaas,
            [as_form(tiny_models.COLOUR_224, [jpeg])],
            read=read_jpeg,
        ),
        Contender("640 x 480, Open Inference, binary", tfaas, [levels]),
    ]
