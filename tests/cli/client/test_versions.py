"""The commands that name versions, with a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Fails, Frozen, Tfaas
from tfaas_core.testing.server import RunningServer


@pytest.fixture
def ladder(tfaas: Tfaas, frozen: Frozen) -> str:
    """The name of a model whose version N, of 3, multiplies by N; the label ``old`` names 1."""

    def build(tf: Any, factor: float) -> None:
        picture = tf.compat.v1.placeholder(tf.float32, [None, 2, 2], "picture")
        tf.multiply(tf.reshape(picture, [-1, 4]), factor, "pixels")

    for number in (1.0, 2.0, 3.0):
        path = frozen("ladder.pb", lambda tf, factor=number: build(tf, factor))
        tfaas("upload", path)
    return "ladder"


@pytest.fixture
def labelled(ladder: str, server: RunningServer) -> str:
    server.http.put(f"/models/{ladder}/labels/old", json={"version": 1}).raise_for_status()
    server.http.put(f"/models/{ladder}/labels/first", json={"version": 1}).raise_for_status()
    return ladder


def test_versions_are_listed_with_what_points_at_them(
    tfaas: Tfaas, fails: Fails, server: RunningServer, labelled: str
) -> None:
    header, *rows = tfaas("versions", labelled).splitlines()
    assert header.split() == ["VERSION", "LIVE", "UPLOADED", "BYTES", "LABELS"]
    assert [(row.split()[0], "live" in row) for row in rows] == [
        ("1", False),
        ("2", False),
        ("3", True),
    ]
    assert rows[0].endswith("  first, old")
    records = json.loads(tfaas("versions", labelled, "--json"))
    assert records == server.http.get(f"/models/{labelled}/versions").json()
    assert fails("versions", "nobody") == "there is no model 'nobody'; see /models"


def test_roll_back_says_which_version_is_live(tfaas: Tfaas, fails: Fails, ladder: str) -> None:
    assert tfaas("rollback", ladder) == "ladder, version 2 is live\n"
    assert tfaas("rollback", ladder, "3") == "ladder, version 3 is live\n"
    assert tfaas("rollback", ladder, "1") == "ladder, version 1 is live\n"
    assert "no version before 1" in fails("rollback", ladder)
    assert "no version 9" in fails("rollback", ladder, "9")
    assert json.loads(tfaas("predict", "--values", "[[1, 2], [3, 4]]")) == [1, 2, 3, 4]


def test_a_prediction_names_a_version_or_a_label(
    tfaas: Tfaas, fails: Fails, labelled: str, here: Path
) -> None:
    from PIL import Image

    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(here / "four.png")
    (here / "request.json").write_text('{"values": [[1, 2], [3, 4]], "version": 3}')
    for sent in (
        ["--values", "[[1, 2], [3, 4]]"],
        ["--image", "four.png"],
        ["--json", "request.json"],
    ):
        for named in ([labelled], []):
            answered = tfaas("predict", *named, *sent, "--version", "2")
            assert json.loads(answered) == [2, 4, 6, 8]
    for sent in (["--values", "[[1, 2], [3, 4]]"], ["--image", "four.png"]):
        assert json.loads(tfaas("predict", *sent, "--label", "old")) == [1, 2, 3, 4]
    assert "no version 9" in fails("predict", "--values", "[1]", "--version", "9")
    assert "no label 'x'" in fails("predict", "--values", "[1]", "--label", "x")


def test_a_download_of_a_version_is_named_after_it(
    tfaas: Tfaas, fails: Fails, ladder: str, here: Path
) -> None:
    assert tfaas("download", ladder, "--version", "2") == "ladder-2.tar.gz\n"
    tfaas("upload", "ladder-2.tar.gz", "--name", "second")
    answered = tfaas("predict", "second", "--values", "[[1, 2], [3, 4]]")
    assert json.loads(answered) == [2, 4, 6, 8]
    assert "no version 9" in fails("download", ladder, "--version", "9")
    assert not (here / "ladder-9.tar.gz").exists()
