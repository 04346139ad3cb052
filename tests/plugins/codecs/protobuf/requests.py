"""Requests to the protobuf codec, in one call each, and the versions that they are for."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Class, DataFrame, Predictions, Row

from tests.plugins.codecs.versions import VK
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, conform

ROW = "application/x-protobuf"
FRAME = "application/x-protobuf; messageType=tfaaspb.DataFrame"


def row(*values: float, keys: Iterable[str] = (), model: str = "") -> Row:
    return Row(key=keys, value=values, model=model)


def bind(sent: Row | DataFrame, version: ModelVersion = VK) -> Bound:
    codec = ProtobufCodec()
    content_type = FRAME if isinstance(sent, DataFrame) else ROW
    bound = codec.bind(codec.parse(sent.SerializeToString(), Head.of_type(content_type)), version)
    for bound_array in conform(version.signature, bound):
        assert bound_array.flags.aligned
    return bound


def frame(*rows: Row) -> DataFrame:
    return DataFrame(row=rows)


def array(sent: Row | DataFrame, version: ModelVersion = VK) -> Array:
    (only,) = bind(sent, version).arrays.values()
    return only


def refusal(sent: Row | DataFrame, version: ModelVersion = VK) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        bind(sent, version)
    assert caught.value.status == 422
    assert caught.value.message.isprintable()
    msgspec.json.encode(caught.value.document())
    return caught.value


def answer(version: ModelVersion, rows: int, *outputs: Array) -> list[tuple[str, float]]:
    codec = ProtobufCodec()
    named = {s.name: o for s, o in zip(version.signature.outputs, outputs, strict=True)}
    document = codec.parse(row(1, 2).SerializeToString(), Head.of_type(ROW))
    encoded = codec.encode(named, Bound({}, rows, rows == 1), document, version)
    assert encoded.media_type == "application/x-protobuf"
    predictions = Predictions.FromString(encoded.body)
    return [(each.label, each.probability) for each in predictions.prediction]


def predictions(*classes: tuple[str, float]) -> bytes:
    made = [Class(label=label, probability=number) for label, number in classes]
    return Predictions(prediction=made).SerializeToString()
