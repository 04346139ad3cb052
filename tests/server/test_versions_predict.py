"""Predictions that name a version or a label, in the body or in the path."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from msgspec import msgpack
from PIL import Image
from tfaas_plugins.codecs.protobuf.tfaas_pb2 import Predictions, Row

from tests.server.ladder import Ladder, error
from tfaas_core.testing.server import RunningServer


def test_a_prediction_names_a_version_or_a_label_in_its_body(fixed: Ladder) -> None:
    for named, number in (
        ({}, 3),
        ({"version": 2}, 2),
        ({"label": "canary"}, 1),
        ({"version": None, "label": ""}, 3),
        ({"version": 3, "label": None}, 3),
        ({"versions": 1, "labels": ["a"], "tag": "canary"}, 3),
    ):
        assert fixed.predict(**named) == number
        body = msgpack.encode({"model": "fixed", "values": [1, 2, 3]} | named)
        answer = fixed.server.http.post("/msgpack", content=body)
        assert msgpack.decode(answer.content) == [number, 2 * number, 3 * number]
        assert answer.headers["TFaaS-Model"] == f"fixed/{number}"


def test_a_prediction_names_a_version_or_a_label_in_its_path(fixed: Ladder) -> None:
    row = {"values": [1, 2, 3]}
    message = Row(value=[1, 2, 3]).SerializeToString()
    for path, number in (("", 3), ("/versions/2", 2), ("/labels/canary", 1)):
        assert fixed.version_of(fixed.ask("POST", f"{path}/predict/json", json=row)) == number
        packed = fixed.ask("POST", f"{path}/predict/msgpack", content=msgpack.encode(row))
        assert msgpack.decode(packed.content) == [number, 2 * number, 3 * number]
        proto = fixed.ask("POST", f"{path}/predict/proto", content=message)
        classes = Predictions.FromString(proto.content).prediction
        assert [each.probability for each in classes] == [number, 2 * number, 3 * number]
        for answer in (packed, proto):
            assert answer.headers["TFaaS-Model"] == f"fixed/{number}"
    named = fixed.ask("POST", "/predict/json", json=row | {"label": "canary"})
    assert fixed.version_of(named) == 1


def test_pictures_name_a_version_or_a_label_in_their_form_or_path(
    server: RunningServer, frozen: Callable[..., bytes]
) -> None:
    for factor in (1, 2):

        def scale(tf: object, factor: int = factor) -> None:
            x = tf.compat.v1.placeholder(tf.float32, [None, 2, 2], "x")  # type: ignore[attr-defined]
            tf.reduce_sum(x * float(factor), [1, 2], name="y")  # type: ignore[attr-defined]

        assert server.upload("pictures", frozen(scale)).json()["version"] == factor
    server.http.put("/models/pictures/labels/old", json={"version": 1})
    file = io.BytesIO()
    Image.new("L", (2, 2), 10).save(file, "PNG")
    picture = {"image": ("x.png", file.getvalue())}
    sent: list[tuple[str, dict[str, str], int]] = [
        ("/image", {"model": "pictures"}, 2),
        ("/image", {"model": "pictures", "version": "1"}, 1),
        ("/image", {"model": "pictures", "label": "old"}, 1),
        ("/image", {"model": "pictures", "version": "", "label": ""}, 2),
        ("/models/pictures/predict/image", {}, 2),
        ("/models/pictures/versions/1/predict/image", {}, 1),
        ("/models/pictures/labels/old/predict/image", {"model": "pictures", "label": "old"}, 1),
    ]
    for path, form, number in sent:
        answer = server.http.post(path, data=form, files=picture)
        assert answer.json() == [40.0 * number], answer.text
        assert answer.headers["TFaaS-Model"] == f"pictures/{number}"
    whole = server.http.post("/models/pictures/versions/1/predict/image", content=file.getvalue())
    assert whole.json() == [40.0]
    for form in ({"version": "x"}, {"version": "0"}, {"version": "1", "label": "old"}):
        refused = server.http.post("/image", data={"model": "pictures"} | form, files=picture)
        assert error(refused) == (422, "does_not_fit")
    server.http.delete("/delete/pictures")


@pytest.mark.parametrize(
    ("path", "named", "names"),
    [
        ("", {"model": "other"}, ("model 'fixed'", "model 'other'")),
        ("/versions/3", {"model": "other"}, ("model 'fixed'", "model 'other'")),
        ("/versions/3", {"version": 1}, ("version 3", "version 1")),
        ("/versions/3", {"label": "canary"}, ("version 3", "label 'canary'")),
        ("/labels/canary", {"label": "other"}, ("label 'canary'", "label 'other'")),
        ("/labels/canary", {"version": 1}, ("label 'canary'", "version 1")),
        ("", {"version": 1, "label": "canary"}, ("version 1", "label 'canary'")),
        ("/versions/1", {"version": 1, "label": "canary"}, ("version 1", "label 'canary'")),
    ],
)
def test_a_body_that_names_something_else_than_the_path_is_refused(
    fixed: Ladder, path: str, named: dict[str, object], names: tuple[str, str]
) -> None:
    answer = fixed.ask("POST", f"{path}/predict/json", json={"values": [1, 2, 3]} | named)
    assert error(answer) == (422, "does_not_fit")
    for name in names:
        assert name in answer.json()["error"]
    assert "TFaaS-Model" not in answer.headers


def test_a_body_may_say_what_the_path_says(fixed: Ladder) -> None:
    for path, named in (
        ("/versions/1", {"model": "fixed", "version": 1}),
        ("/labels/canary", {"name": "fixed", "label": "canary"}),
        ("/predict", {"model": "fixed", "version": 1}),
    ):
        path = path if path == "/predict" else f"{path}/predict"
        answer = fixed.ask("POST", f"{path}/json", json={"values": [1, 2, 3]} | named)
        assert fixed.version_of(answer) == 1


def test_a_codec_that_there_is_not_is_no_path(fixed: Ladder) -> None:
    for path in ("/predict/x", "/versions/3/predict/x", "/labels/a/predict/x"):
        assert error(fixed.ask("POST", path, json={})) == (404, "not_found")


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize(
    "named",
    [
        *({"version": value} for value in (0, -1, True, 1.0, "1", [1], {"a": 1}, 2**63)),
        *({"label": value} for value in (1, True, ["a"], {"a": 1})),
        {"version": 1, "label": "canary"},
    ],
    ids=str,
)
def test_a_prediction_that_names_no_version_is_refused(
    fixed: Ladder, codec: str, named: dict[str, object]
) -> None:
    document = {"model": "fixed", "values": [1, 2, 3]} | named
    body = msgpack.encode(document) if codec == "msgpack" else json.dumps(document).encode()
    answer = fixed.server.http.post(f"/{codec}", content=body)
    assert error(answer) == (422, "does_not_fit")
    assert "TFaaS-Model" not in answer.headers
