"""``tfaas copy`` of a model repository of Triton."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import DEMO, Tfaas
from tests.cli.served.conftest import Capture, Stored, lines, numbers
from tests.cli.served.models import put

GRAPH_CONFIG = """
name: "double"
platform: "tensorflow_graphdef"
max_batch_size: 8
input [ { name: "a", data_type: TYPE_FP32, dims: [ 2 ] } ]
output [ { name: "product", data_type: TYPE_FP32, dims: [ 2 ], label_filename: "names.txt" } ]
version_policy: { all { } }
instance_group [ { count: 2, kind: KIND_CPU } ]
parameters { key: "x" value: { string_value: "y" } }
"""


@pytest.fixture
def repository(here: Path, made: Path) -> Path:
    """A repository with a graph, a SavedModel, and a model of another framework."""
    folder = here / "repository"
    for number in ("1", "3"):
        (folder / "double" / number).mkdir(parents=True)
        shutil.copy(made / "double.graphdef", folder / "double" / number / "model.graphdef")
    (folder / "double" / "config.pbtxt").write_text(GRAPH_CONFIG)
    (folder / "double" / "names.txt").write_text("left\nright\n")
    put(made / "two", folder / "half" / "1" / "model.savedmodel")
    (folder / "half" / "config.pbtxt").write_text(
        'platform: "tensorflow_savedmodel" max_batch_size: 4 '
        'input { name: "x" dims: 2 } output { name: "y" dims: 2 }'
    )
    (folder / "onnx" / "1").mkdir(parents=True)
    (folder / "onnx" / "config.pbtxt").write_text('backend: "onnxruntime"')
    return folder


def test_a_repository_of_triton_is_copied_but_for_other_platforms(
    capfd: Capture, repository: Path, stored: Stored
) -> None:
    out, told = lines(capfd, "--from", repository)
    assert out == ["double: 2 versions copied", "half: 1 version copied"]
    assert told == [
        "tfaas: onnx: its platform is 'onnxruntime', and only models of TensorFlow are taken"
    ]
    double = stored("double")
    assert numbers(double) == [1, 3]
    assert [spec.name for spec in double.live.signature.inputs] == ["a"]
    assert [spec.name for spec in double.live.signature.outputs] == ["product"]
    assert (double.live.labels, double.live.labels_file) == (("left", "right"), "names.txt")
    assert double.live.runtime == "graph"
    assert stored("half").live.runtime == "saved_model"
    out, _ = lines(capfd, "--from", repository, "half", "double", status=0)
    assert out == ["half: 1 version there already", "double: 2 versions there already"]


def test_one_model_of_a_repository_is_a_place_too(
    tfaas: Tfaas, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository / "half")
    to = ("--to", "../../tfaas.toml")
    assert tfaas("copy", "--from", ".", *to) == "half: 1 version copied\n"


def test_a_model_may_be_called_otherwise_in_its_folder(
    capfd: Capture, repository: Path, stored: Stored
) -> None:
    shutil.copy(DEMO / "particles.pb", repository / "double" / "1" / "own.pb")
    config = repository / "double" / "config.pbtxt"
    config.write_text('backend: "tensorflow" default_model_filename: "own.pb"')
    _, told = lines(capfd, "--from", repository, "double")
    assert told == [f"tfaas: double: version 3: {config.parent}/3 holds no own.pb"]
    config.write_text(
        'backend: "tensorflow" default_model_filename: "own.pb" '
        "version_policy { specific { versions: 1 } }"
    )
    lines(capfd, "--from", repository, "double", status=0)
    assert stored("double").live.model_file == "own.pb"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("platform: {", "config.pbtxt cannot be read: 1:11 "),
        ('default_model_filename: "../../secret.pb"', "names the file '../../secret.pb'"),
        ('output { label_filename: "/etc/passwd" }', "names the file '/etc/passwd'"),
        ('output { label_filename: "a\\000" }', "names the file 'a\\x00'"),
        ('default_model_filename: "\\377"', "config.pbtxt cannot be read: "),
        ("version_policy { specific { versions: 8 } }", "double/8 is missing"),
    ],
)
def test_a_wrong_config_pbtxt_is_told_of_its_model_alone(
    capfd: Capture, repository: Path, config: str, told: str
) -> None:
    (repository / "double" / "config.pbtxt").write_text(config)
    out, (line,) = lines(capfd, "--from", repository, "double", "half", "--dry-run")
    assert out == ["half: 1 version would be copied"]
    assert line.startswith("tfaas: double: ")
    assert told in line


def test_what_a_config_pbtxt_names_and_nobody_has_is_told(capfd: Capture, repository: Path) -> None:
    shutil.rmtree(repository / "double" / "1")
    for config, told in (
        ('output { name: "product" label_filename: "gone.txt" }', "gone.txt cannot be read: No su"),
        ('input { name: "nobody" }', "nobody"),
        ('output { name: "product" label_filename: "" }', ""),
    ):
        (repository / "double" / "config.pbtxt").write_text(config)
        out, lines_told = lines(capfd, "--from", repository, "double", status=int(bool(told)))
        assert told in "".join(lines_told)
        assert out == ([] if told else ["double: 1 version copied"])
