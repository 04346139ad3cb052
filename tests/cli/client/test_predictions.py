"""`tfaas predict`, with a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.client.commands import PARTICLES, run
from tests.cli.conftest import Fails, Frozen, Tfaas
from tests.data import MODELS as DATA
from tfaas_core.testing.server import RunningServer

ROW = json.dumps([0.5] * 42)


# Predict.


def test_values_are_answered_as_the_server_answers_them(
    tfaas: Tfaas, server: RunningServer
) -> None:
    tfaas("upload", PARTICLES)
    for values in (ROW, f"[{ROW}, {ROW}]"):
        expected = server.predict(values=json.loads(values)).text
        assert tfaas("predict", "particles", "--values", values) == f"{expected.strip()}\n"
        assert tfaas("predict", "--values", values) == f"{expected.strip()}\n"


def test_a_real_network_answers_as_tensorflow_did(tfaas: Tfaas) -> None:
    if not DATA.is_dir():
        pytest.skip("the real networks are not at hand")
    arrays = np.load(DATA / "photon_id_barrel.npz")
    rows = arrays["in:FirstLayer_input"].tolist()
    tfaas("upload", DATA / "photon_id_barrel.pb", "--name", "photons")
    answers = json.loads(tfaas("predict", "photons", "--values", json.dumps(rows)))
    np.testing.assert_allclose(answers, arrays["out:Identity"], rtol=1e-5)


def test_a_whole_request_comes_from_a_file_or_stdin(
    tfaas: Tfaas, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfaas("upload", PARTICLES)
    tfaas("upload", PARTICLES, "--name", "other")
    document = f'{{"inputs": {{"particles": {ROW}}}, "model": "particles"}}'
    (here / "request.json").write_text(document)
    expected = tfaas("predict", "particles", "--values", ROW)
    assert tfaas("predict", "--json", "request.json") == expected
    done = run("predict", "--json", "-", input=document.encode())
    assert done.stdout.decode() == expected
    tfaas("delete", "particles")
    assert tfaas("predict", "other", "--json", "request.json") == expected


def test_a_request_that_is_no_object_cannot_name_a_model(fails: Fails, here: Path) -> None:
    (here / "request.json").write_text("[1, 2]")
    assert fails("predict", "vk", "--json", "request.json") == "request.json is not a JSON object"
    (here / "request.json").write_text("{")
    assert "request.json is not JSON" in fails("predict", "vk", "--json", "request.json")
    assert "JSON" in fails("predict", "--json", "request.json")


def test_a_picture_is_answered(tfaas: Tfaas, frozen: Frozen, here: Path) -> None:
    from PIL import Image

    def build(tf: Any) -> None:
        picture = tf.compat.v1.placeholder(tf.float32, [None, 2, 2, 1], "picture")
        tf.reshape(picture, [-1, 4], "pixels")

    tfaas("upload", frozen("pixels.pb", build))
    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(here / "four.png")
    for name in (["pixels"], []):
        answered = json.loads(tfaas("predict", *name, "--image", "four.png"))
        assert answered == [1.0, 2.0, 3.0, 4.0]


def test_a_refused_prediction_says_what_the_server_says(fails: Fails, tfaas: Tfaas) -> None:
    tfaas("upload", PARTICLES)
    said = fails("predict", "particles", "--values", "[1, 2]")
    assert said == "values has 2 numbers, model 'particles' takes 42"
    assert "there is no model 'nobody'" in fails("predict", "nobody", "--values", "[1]")
