"""``tfaas copy`` of what TensorFlow Serving and Triton serve."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.conftest import DEMO, Fails, Tfaas
from tests.cli.served_models import logged, predict_log, put, save_half_plus, write_graph
from tfaas_core.cli import main
from tfaas_core.models.versions import Model
from tfaas_core.testing.server import running_server
from tfaas_core.testing.waiting import until

Stored = Callable[[str], Model]
Capture = pytest.CaptureFixture[str]

TO = ("--to", "tfaas.toml")
MANY = 12
"""So many versions that a copy takes longer than it takes to interrupt it."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModels ``two`` and ``three``, and the graph ``double.graphdef``."""
    folder = tmp_path_factory.mktemp("made")
    save_half_plus(folder / "two", 2.0)
    save_half_plus(folder / "three", 3.0)
    write_graph(folder / "double.graphdef", 2.0)
    return folder


@pytest.fixture(autouse=True)
def target(here: Path) -> Iterator[FilesystemStorage]:
    """The storage of ``tfaas.toml``."""
    (here / "tfaas.toml").write_text('[storage]\nroot = "stored"\n')
    storage = FilesystemStorage(here / "stored")
    storage.open()
    yield storage
    storage.close()


@pytest.fixture
def stored(target: FilesystemStorage) -> Stored:
    """A model that is there."""

    def look_up(name: str) -> Model:
        model = target.model(name)
        assert model is not None
        return model

    return look_up


@pytest.fixture
def half(here: Path, made: Path) -> Path:
    """A base path with the versions 123 and 124."""
    put(made / "two", here / "served" / "half" / "00000123")
    put(made / "three", here / "served" / "half" / "124")
    return here / "served" / "half"


def configured(here: Path, *models: str) -> Path:
    """A ``models.config`` of these models."""
    listed = "".join(f"  config {{ {model} }}\n" for model in models)
    file = here / "models.config"
    file.write_text(f"# of ours\nmodel_config_list {{\n{listed}}}\n")
    return file


def numbers(model: Model) -> list[int]:
    return [version.version for version in model.versions]


def lines(capfd: Capture, *arguments: str | Path, status: int = 1) -> tuple[list[str], list[str]]:
    """What the command prints to stdout and stderr."""
    assert main(["copy", *map(str, arguments), *TO]) == status
    captured = capfd.readouterr()
    return captured.out.splitlines(), captured.err.splitlines()


def test_a_base_path_is_copied_with_its_numbers_and_only_once(
    tfaas: Tfaas, half: Path, stored: Stored
) -> None:
    would = tfaas("copy", "--from", half, *TO, "--dry-run")
    assert would == "half: 2 versions would be copied\n"
    assert not Path("stored/half").exists()
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions copied\n"
    assert numbers(stored("half")) == [123, 124]
    assert stored("half").live.version == 124
    assert stored("half").live.signature_names == ("serving_default", "regress", "triple")
    again = stored("half")
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions there already\n"
    assert stored("half") == again
    put(half / "124", half / "125")
    assert tfaas("copy", "--from", half, *TO) == "half: 1 version copied, 2 there already\n"
    assert numbers(stored("half")) == [123, 124, 125]


def test_what_was_copied_is_served_by_all_protocols(
    tfaas: Tfaas, half: Path, here: Path, tmp_path: Path
) -> None:
    labels = 'version_labels { key: "stable" value: 123 }'
    policy = "model_version_policy { all {} }"
    config = configured(here, f'name: "half" base_path: "{half}" {policy} {labels}')
    tfaas("copy", "--from", config, *TO)
    with running_server(tmp_path, "server.workers=1", f"storage.root={here / 'stored'}") as server:
        assert server.predict(model="half", values=[2, 4]).json() == [4.0, 5.0]
        old = server.predict(model="half", version=123, values=[2, 4])
        assert (old.json(), old.headers["tfaas-model"]) == ([3.0, 4.0], "half/123")
        rows = {"instances": [[2.0, 4.0]]}
        for path, row in (("half", [4.0, 5.0]), ("half/versions/123", [3.0, 4.0])):
            answer = server.http.post(f"/v1/models/{path}:predict", json=rows)
            assert answer.json() == {"predictions": [row]}
        answer = server.http.post("/v1/models/half/labels/stable:predict", json=rows)
        assert answer.json() == {"predictions": [[3.0, 4.0]]}
        asked = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [2, 4]}]
        answer = server.http.post("/v2/models/half/versions/123/infer", json={"inputs": asked})
        assert (answer.json()["model_version"], answer.json()["outputs"][0]["data"]) == (
            "123",
            [3.0, 4.0],
        )


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        ("", "1 version would be copied, 1 left out by its version policy"),
        ("model_version_policy { latest { num_versions: 0 } }", "1 version would be copied, 1"),
        ("model_version_policy { latest { num_versions: 2 } }", "2 versions would be copied"),
        ("model_version_policy { all {} }", "2 versions would be copied"),
    ],
)
def test_the_version_policy_says_which_are_taken(
    tfaas: Tfaas, half: Path, here: Path, policy: str, line: str
) -> None:
    config = configured(here, f'name: "half" base_path: "{half}" {policy} logging_config {{}}')
    assert f"half: {line}" in tfaas("copy", "--from", config, *TO, "--dry-run")


def test_the_newest_of_the_versions_that_are_served_is_live(
    capfd: Capture, half: Path, here: Path, stored: Stored
) -> None:
    policy = "model_version_policy: { specific: { versions: [ 123, 9 ] } }"
    config = configured(here, f'name: "half" base_path: "{half}" {policy}')
    out, told = lines(capfd, "--from", config)
    assert out == ["half: 1 version copied, 1 left out by its version policy"]
    assert told == [f"tfaas: half: version 9: {half}/9 is missing"]
    assert numbers(stored("half")) == [123]
    assert stored("half").live.version == 123


def test_labels_follow_the_configuration_and_others_stay(
    capfd: Capture, half: Path, here: Path, stored: Stored, target: FilesystemStorage
) -> None:
    def copied(number: int) -> list[str]:
        labels = f'version_labels {{ key: "stable" value: {number} }}'
        labels += ' version_labels { key: "no label" value: 124 }'
        policy = "model_version_policy { all {} }"
        config = configured(here, f'name: "half" base_path: "{half}" {policy} {labels}')
        return lines(capfd, "--from", config)[1]

    (told,) = copied(123)
    assert told.startswith("tfaas: half: label 'no label': a label is letters, digits")
    assert stored("half").pointers.labels == {"stable": 123}
    with target.claim("half") as claim:
        target.point(claim, stored("half").pointers.with_label("mine", 123).with_live(123))
    copied(124)
    assert stored("half").pointers.labels == {"stable": 124, "mine": 123}
    assert stored("half").live.version == 123
    assert "tfaas: half: label 'stable': version 125 is not there" in copied(125)


def test_what_cannot_be_taken_is_told_and_the_others_are_taken(
    capfd: Capture, half: Path, here: Path, made: Path, stored: Stored
) -> None:
    empty = here / "empty"
    (empty / "notes").mkdir(parents=True)
    broken = put(made / "two", here / "broken" / "7").parent
    (broken / "7" / "saved_model.pb").write_bytes(b"rubbish")
    put(made / "two", broken / "5")
    put(made / "two", broken / "20240101120000")
    (broken / "6").mkdir()
    linked = put(made / "two", here / "linked" / "1").parent
    (linked / "1" / "saved_model.pb").unlink()
    (linked / "1" / "saved_model.pb").symlink_to(made / "two" / "saved_model.pb")
    (here / "loop").symlink_to("loop")
    config = configured(
        here,
        f'name: "../../x" base_path: "{half}"',
        f'name: "half" base_path: "{half}"',
        f'name: "twice" base_path: "{half}"',
        f'name: "twice" base_path: "{broken}"',
        f'name: "empty" base_path: "{empty}"',
        f'name: "gone" base_path: "{here}/gone"',
        f'name: "loop" base_path: "{here}/loop"',
        'name: "far" base_path: "gs://models/far"',
        f'name: "other" base_path: "{half}" model_platform: "onnx"',
        f'name: "linked" base_path: "{linked}"',
        f'name: "some" base_path: "{broken}" model_version_policy {{ all {{}} }}',
    )
    out, told = lines(capfd, "--from", config)
    assert out == [
        "half: 1 version copied, 1 left out by its version policy",
        "some: 1 version copied",
    ]
    assert numbers(stored("some")) == [5]
    assert [line.removeprefix("tfaas: ").split(f" {here}")[0] for line in told] == [
        "../../x: it cannot name a model here: a name is letters, digits, '.', '_' and '-', "
        "starting with a letter or digit, 128 at most; --rename '../../x'=NAME takes it as another",
        "empty:",
        "far: its base_path is 'gs://models/far', expected an absolute path of this machine",
        "gone:",
        "linked: version 1:",
        "loop:",
        "other: its platform is 'onnx', and only models of TensorFlow are taken",
        "some: version 20240101120000: a version's number is from 1 to 2147483647 here",
        "some: version 6:",
        "some: version 7: saved_model.pb is not a SavedModel, or a damaged one",
        "twice: 2 models have this name: give them different ones where they are",
    ]
    assert [line.rpartition(": ")[2] for line in told if "gone" in line or "loop" in line] == [
        "No such file or directory",
        "Too many levels of symbolic links",
    ]
    assert not list(Path("stored/.staging").iterdir())
    assert sorted(path.name for path in Path("stored").iterdir() if path.name[0] != ".") == [
        "half",
        "some",
    ]


def test_a_lower_version_comes_too_late_and_another_one_of_a_number_is_told(
    capfd: Capture, half: Path, made: Path
) -> None:
    lines(capfd, "--from", half, status=0)
    shutil.rmtree(half / "124")
    put(made / "two", half / "124")
    put(made / "two", half / "7")
    out, told = lines(capfd, "--from", half)
    assert out == ["half: 1 version there already"]
    assert told[0] == (
        "tfaas: half: version 7: it is lower than half/124, which the target has already: it "
        "cannot be added"
    )
    assert told[1].startswith("tfaas: half: version 124: the target has another half/124, of 20")


def test_models_are_named_and_renamed(
    tfaas: Tfaas, fails: Fails, capfd: Capture, half: Path, here: Path, stored: Stored
) -> None:
    config = configured(
        here, *(f'name: "{name}" base_path: "{half}"' for name in ("team/half", "b", "c"))
    )
    renamed = ("--rename", "team/half=half", "--rename", "c=third")
    would = tfaas("copy", "--from", config, *TO, *renamed, "--dry-run", "c", "team/half")
    assert [line.partition(":")[0] for line in would.splitlines()] == ["third", "half"]
    tfaas("copy", "--from", config, *TO, *renamed, "team/half")
    assert [version.name for version in stored("half").versions] == ["half"]
    _, told = lines(capfd, "--from", config, "--rename", "b=c", "b", "c", "d", "--dry-run")
    assert told == [
        "tfaas: c: 2 models would be called 'c'",
        "tfaas: c: 2 models would be called 'c'",
        "tfaas: d: there is no model 'd' to copy",
    ]
    told_of = {"a=b": "there is no model 'a' to rename", "=x": "'=x' is not like half/plus=half"}
    for wrong, words in told_of.items():
        status = 2 if wrong == "=x" else 1
        assert words in fails("copy", "--from", config, *TO, "--rename", wrong, status=status)
    assert "--rename is for models of another server" in fails(
        "copy", "--from", "tfaas.toml", "--to", "tfaas.toml", "--rename", "a=b", status=2
    )


def test_json_tells_all_of_it(capfd: Capture, half: Path) -> None:
    (half / "9").mkdir()
    assert main(["copy", "--from", str(half), *TO, "--json"]) == 1
    captured = capfd.readouterr()
    document = json.loads(captured.out)
    assert document["models"] == [
        {"name": "half", "copied": 2, "there": 0, "left_out": 0, "notes": []}
    ]
    assert [failed["name"] for failed in document["failed"]] == ["half"]
    assert document["failed"][0]["error"].startswith("version 9: ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("model_config_list {", "models.config cannot be read: 1:19 : Expected"),
        ("not a configuration", "models.config cannot be read: 1:5"),
        ("a {" * 100_000, "models.config cannot be read: "),
        ("model_config_list { config { name: 'x' version_labels { value: 1e400 } } }", "1:64"),
        ("[" * 100_000, "models.config cannot be read: "),
    ],
)
def test_a_broken_configuration_is_one_line(
    fails: Fails, here: Path, content: str, told: str
) -> None:
    (here / "models.config").write_text(content)
    assert told in fails("copy", "--from", "models.config", *TO)
    (here / "models.config").write_bytes(b"\xff\xfe{")
    assert "models.config cannot be read: " in fails("copy", "--from", "models.config", *TO)


def test_what_is_not_there_or_is_nothing_is_one_line(
    tfaas: Tfaas, fails: Fails, here: Path
) -> None:
    assert fails("copy", "--from", "gone", *TO) == "there is no file or folder gone"
    (here / "nothing").mkdir()
    assert tfaas("copy", "--from", "nothing", *TO) == "there are no models to copy\n"
    os.mkfifo(here / "pipe")
    assert "it is no regular file" in fails("copy", "--from", "pipe", *TO)
    with (here / "huge.config").open("wb") as file:
        file.truncate(1 << 40)
    assert "it has more than 4194304 bytes" in fails("copy", "--from", "huge.config", *TO)


def test_what_has_no_room_is_told_before_it_is_copied(
    capfd: Capture, half: Path, here: Path
) -> None:
    (here / "tfaas.toml").write_text('[storage]\nroot = "stored"\nquota_bytes = 1000\n')
    out, told = lines(capfd, "--from", half)
    assert out == []
    assert len(told) == 1
    assert "together they may have 1000 (storage.quota_bytes)" in told[0]
    assert not list(Path("stored/.staging").iterdir())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_ends_half_way_is_run_again(
    tfaas: Tfaas, target: FilesystemStorage, here: Path, made: Path, how: signal.Signals
) -> None:
    for number in range(1, MANY + 1):
        folder = here / "many" / str(number)
        folder.mkdir(parents=True)
        shutil.copy(made / "double.graphdef", folder / "model.graphdef")
    command = [sys.executable, "-m", "tfaas_core", "copy", "--from", "many", *TO]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: target.model("many") is not None)
    processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(how)
    _out, errors = process.communicate(timeout=60)
    assert errors.strip() == b""
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    until(lambda: not any(each.is_running() for each in processes))
    model = target.model("many")
    assert model is not None
    there = len(model.versions)
    assert numbers(model) == list(range(1, there + 1))
    assert there < MANY
    assert f", {there} there already" in tfaas("copy", "--from", "many", *TO)
    model = target.model("many")
    assert model is not None
    assert numbers(model) == list(range(1, MANY + 1))
    assert model.live.version == MANY
    assert not list(Path("stored/.staging").iterdir())


# Triton.

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


# Warm-up.


def test_requests_that_warm_up_become_examples(
    tfaas: Tfaas, capfd: Capture, half: Path, stored: Stored
) -> None:
    logged(
        half / "124", [predict_log({"x": [[1.0, 2.0]]}), predict_log({"x": [[5.0, 6.0]]}, "triple")]
    )
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions copied\n"
    assert stored("half").version(123).warmup is None
    assert stored("half").live.warmup == {
        "examples": [
            {"inputs": {"x": [[1.0, 2.0]]}},
            {"inputs": {"x": [[5.0, 6.0]]}, "signature_name": "triple"},
        ]
    }
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions there already\n"


def test_requests_that_cannot_run_are_left_out(capfd: Capture, half: Path, stored: Stored) -> None:
    logged(
        half / "124",
        [
            predict_log({"x": [["text"]]}),
            predict_log({"x": [[1.0, 2.0]]}),
            predict_log({"y": [[1.0, 2.0]]}),
            b"rubbish",
            predict_log({"x": [[1.0, 2.0]]}, "nobody"),
        ],
    )
    out, told = lines(capfd, "--from", half, status=0)
    assert out == ["half: 2 versions copied"]
    (line,) = told
    assert line.startswith(
        "tfaas: half: version 124: warm-up requests left out: number 4: it is no PredictionLog; "
        "number 1: "
    )
    assert line.endswith("; and 1 more")
    assert stored("half").live.warmup == {"examples": [{"inputs": {"x": [[1.0, 2.0]]}}]}
