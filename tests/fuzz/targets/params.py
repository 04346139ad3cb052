"""params.json, warmup.json and labels: refused, or read to the same whenever they are read."""

from __future__ import annotations

import msgspec
from tfaas_backends.runtimes.saved_model.folder import tags_of
from tfaas_plugins.codecs.image.params import ImageParams

from tests.fuzz.dice import Dice
from tests.fuzz.documents import json_mutator
from tests.fuzz.rooms import room
from tfaas_core.errors import TfaasError
from tfaas_core.models.examples import examples_of, parse_warmup
from tfaas_core.models.params import Params, check_features
from tfaas_core.models.versions import number_of
from tfaas_core.testing.models import model_version
from tfaas_core.testing.suites.codec.case import assert_clients_error
from tfaas_core.texts.json_text import read_fields_of
from tfaas_core.uploads.companions import read_labels

mutate = json_mutator(
    *(
        "name",
        "batch",
        "axis",
        "merge",
        "warmup",
        "nan",
        "example",
        "examples",
        "outputs",
        "values",
    ),
    *("inputNode", "output_name", "features", "tags", "image", "scale", "resize", "tolerance"),
    *("free", "one", "none", "accept", "0-1", "img_channels", "runtime", "input_node", "Batch"),
)


def check(data: bytes) -> None:
    dice = Dice(data)
    read = dice.one_of((_params, _warmup, _labels, _fields))
    try:
        read(dice.rest())
    except TfaasError as error:
        assert_clients_error(error, repr(data[:200]))


def _params(body: bytes) -> None:
    params = Params.parse(body)
    again = Params.parse(msgspec.json.encode(params.document))
    assert again == params
    assert Params.of(msgspec.json.decode(msgspec.json.encode(params.document))) == params
    version = model_version(params=params.document)
    params.shown_nodes(version.signature)
    for use in (
        lambda: check_features(params, version.signature),
        lambda: tags_of(params),
        lambda: ImageParams.of(version),
        lambda: examples_of(version),
    ):
        try:
            use()
        except TfaasError as error:
            assert_clients_error(error, repr(body[:200]))


def _warmup(body: bytes) -> None:
    document = parse_warmup(body)
    assert parse_warmup(msgspec.json.encode(document)) == document


def _labels(body: bytes) -> None:
    with room() as folder:
        file = folder / "labels"
        file.write_bytes(body[1:])
        labels = read_labels(file, "labels.csv" if body[:1] == b"," else "labels.txt")
    msgspec.json.encode(labels)
    assert not labels or labels[-1]


def _fields(body: bytes) -> None:
    fields = read_fields_of(body, "{}")
    if isinstance(text := fields.get("version"), str):
        number_of(text)
