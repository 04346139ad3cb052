"""Pictures over HTTP: drawn here, answered by small networks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.data import MODELS
from tfaas_core.testing.forked import children_named
from tfaas_core.testing.server import RunningServer, running_server

MNIST = MODELS / "mnist_fc.pb"
# The network learnt from handwriting; of the digits of this font, it is sure of these.
DIGITS = "0257"
TYPE = {"content-type": "image/png"}


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def drawn(digit: str) -> Image.Image:
    image = Image.new("L", (28, 28))
    ImageDraw.Draw(image).text((14, 14), digit, 255, ImageFont.load_default(24), anchor="mm")
    return image


@pytest.fixture
def mean_colour(
    server: RunningServer, frozen: Callable[[Callable[[Any], Any]], bytes]
) -> Iterator[str]:
    """A stored model ``x [?, 4, 6, 3]`` that answers the mean of each colour, with labels."""

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 3], "x")
        tf.reduce_mean(x, [1, 2], name="y")

    params = json.dumps({"image": {"scale": "0-1"}}).encode()
    uploaded = server.upload("colour", frozen(build), params=params, labels=b"red\ngreen\nblue\n")
    assert uploaded.status_code == 200, uploaded.text
    yield "colour"
    server.http.delete("/delete/colour")


def test_labels_that_are_too_few_are_told_by_the_upload_and_answered(
    server: RunningServer, frozen: Callable[..., bytes]
) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 3], "x")
        tf.reduce_mean(x, [1, 2], name="mean")

    uploaded = server.upload("short", frozen(build), labels=b"red\ngreen\n")
    try:
        assert uploaded.json()["warnings"] == [
            "there are 2 labels, but the model answers 3 numbers: answers to pictures leave out "
            "the numbers that have none"
        ]
        shown = server.http.get("/models/short").json()
        assert shown == uploaded.json() | {"engine": shown["engine"]}
        answer = server.http.post(
            "/image",
            files={"image": ("file.png", png(Image.new("RGB", (6, 4), (0, 10, 250))))},
            data={"model": "short"},
        )
        assert answer.json()["labels"] == [
            {"label": "green", "probability": 10.0},
            {"label": "red", "probability": 0.0},
        ]
        assert server.predict(model="short", values=[[[1, 2, 3]] * 6] * 4).json() == [1, 2, 3]
    finally:
        server.http.delete("/delete/short")


@pytest.mark.parametrize("path", ["/image", "/predict/image"])
def test_a_picture_is_answered_by_its_labels_best_first(
    server: RunningServer, mean_colour: str, path: str
) -> None:
    data = png(Image.new("RGB", (30, 20), (0, 255, 51)))
    answer = server.http.post(
        path, data={"model": mean_colour}, files={"image": ("file.png", data)}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "filename": "file.png",
        "labels": [
            {"label": "green", "probability": 1.0},
            {"label": "blue", "probability": pytest.approx(0.2)},
            {"label": "red", "probability": 0.0},
        ],
    }


def test_a_batch_is_answered_in_order(server: RunningServer, mean_colour: str) -> None:
    shades = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
    files = [
        ("image", (f"{number}.png", png(Image.new("RGB", (number + 1, 9), shade))))
        for number, shade in enumerate(shades)
    ]
    answer = server.http.post("/image", data={"model": mean_colour, "top": "1"}, files=files)
    assert answer.json() == [
        {"filename": f"{number}.png", "labels": [{"label": label, "probability": 1.0}]}
        for number, label in enumerate(("red", "green", "blue"))
    ]


def test_a_picture_may_be_the_whole_body(server: RunningServer, mean_colour: str) -> None:
    data = png(Image.new("RGB", (6, 4), "red"))
    for media_type in (
        "image/png",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ):
        answer = server.http.post("/image", content=data, headers={"content-type": media_type})
        assert answer.json()["labels"][0] == {"label": "red", "probability": 1.0}
    refused = server.http.post("/image", content=data, headers={"content-type": "image/gif"})
    assert refused.status_code == 415


@pytest.mark.skipif(not MNIST.exists(), reason=f"{MNIST.name} is not there")
def test_drawn_digits_are_recognised_by_a_network_with_flat_rows(server: RunningServer) -> None:
    params = json.dumps({"image": {"scale": "0-1"}}).encode()
    assert server.upload("mnist", MNIST, params=params).status_code == 200
    for side in (28, 280):
        files = [("image", (digit, png(drawn(digit).resize((side, side))))) for digit in DIGITS]
        answer = server.http.post("/image", data={"model": "mnist"}, files=files)
        best = np.argmax(answer.json(), axis=1)
        assert "".join(map(str, best)) == DIGITS
    pixels = np.asarray(drawn("5"), np.float32).reshape(-1) / np.float32(255)
    by_json = server.predict(model="mnist", values=pixels.tolist())
    files = [("image", ("5", png(drawn("5"))))]
    by_image = server.http.post("/image", data={"model": "mnist"}, files=files)
    np.testing.assert_allclose(by_image.json(), by_json.json(), rtol=1e-6)
    server.http.delete("/delete/mnist")


def decoders(server: RunningServer) -> list[psutil.Process]:
    (decoder_server,) = children_named("tfaas-decoders", server.parent)
    return children_named("tfaas-decoder", decoder_server)


def test_large_pictures_are_decoded_in_processes_that_are_replaced(
    server: RunningServer, mean_colour: str
) -> None:
    image = Image.new("RGB", (640, 480), (255, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)

    def answered(data: bytes) -> httpx.Response:
        files = {"image": ("file", data)}
        return server.http.post("/image", data={"model": mean_colour}, files=files)

    for data in (png(image), buffer.getvalue()):
        labels = answered(data).json()["labels"]
        assert labels[0]["label"] == "red"
        assert labels[0]["probability"] == pytest.approx(1.0, abs=0.01)
    found = decoders(server)
    assert found
    for process in found:
        process.kill()
    for _ in range(2 * len(found) + 2):
        assert answered(png(image)).status_code == 200
    cut = answered(png(image)[:500])
    assert cut.status_code == 400
    assert "is a damaged PNG" in cut.json()["error"]


def test_the_server_answers_while_a_decoder_of_small_pictures_is_stopped(
    tmp_path: Path, frozen: Callable[[Callable[[Any], Any]], bytes]
) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4, 6, 3], "x")
        tf.reduce_mean(x, [1, 2], name="y")

    picture = png(Image.new("RGB", (6, 4), (1, 2, 3)))

    def ask() -> Any:
        return httpx.post(f"{server.url}/image", content=picture, headers=TYPE, timeout=60).json()

    settings = ("server.workers=1", 'server.decoders="all"')
    with running_server(tmp_path, *settings) as server, ThreadPoolExecutor(2) as threads:
        assert server.upload("colour", frozen(build)).status_code == 200
        assert ask() == [1, 2, 3]
        (decoder,) = decoders(server)
        decoder.suspend()
        answered, waiting = wait([threads.submit(ask) for _ in range(2)], 60, FIRST_COMPLETED)
        assert [each.result() for each in answered] == [[1, 2, 3]]
        # Soon, before the decoder is replaced.
        assert server.http.get("/health/ready").status_code == 200
        assert [each.done() for each in waiting] == [False]
        decoder.resume()
        assert [each.result() for each in waiting] == [[1, 2, 3]]
