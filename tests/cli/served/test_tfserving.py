"""``tfaas copy`` of what TensorFlow Serving serves."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.conftest import Fails, Tfaas
from tests.cli.served.conftest import TO, Capture, Stored, lines, numbers
from tests.cli.served.models import put
from tfaas_core.cli import main
from tfaas_core.testing.server import RunningServer, running_server
from tfaas_core.testing.waiting import until


def configured(here: Path, *models: str) -> Path:
    """A ``models.config`` of these models."""
    listed = "".join(f"  config {{ {model} }}\n" for model in models)
    file = here / "models.config"
    file.write_text(f"# of ours\nmodel_config_list {{\n{listed}}}\n")
    return file


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


def has_noticed(server: RunningServer) -> bool:
    """Whether the server, which looks by itself, knows all that was copied."""
    answer = server.http.get("/models/half/versions")
    if answer.status_code == 404:
        return False
    return [each["versionLabels"] for each in answer.json()] == [["stable"], []]


def test_what_was_copied_is_served_by_all_protocols(
    tfaas: Tfaas, half: Path, here: Path, tmp_path: Path
) -> None:
    labels = 'version_labels { key: "stable" value: 123 }'
    policy = "model_version_policy { all {} }"
    config = configured(here, f'name: "half" base_path: "{half}" {policy} {labels}')
    root = f"storage.root={here / 'stored'}"
    with running_server(tmp_path, "server.workers=1", root) as server:
        tfaas("copy", "--from", config, *TO)
        until(lambda: has_noticed(server))
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


def test_a_model_that_cannot_be_taken_is_told_and_the_others_are_taken(
    capfd: Capture, half: Path, here: Path
) -> None:
    (here / "empty" / "notes").mkdir(parents=True)
    (here / "loop").symlink_to("loop")
    config = configured(
        here,
        f'name: "../../x" base_path: "{half}"',
        f'name: "twice" base_path: "{half}"',
        f'name: "half" base_path: "{half}"',
        f'name: "twice" base_path: "{here}"',
        f'name: "empty" base_path: "{here}/empty"',
        f'name: "gone" base_path: "{here}/gone"',
        f'name: "loop" base_path: "{here}/loop"',
        'base_path: "/nameless"',
        'name: "far" base_path: "gs://models/far"',
        'name: "nul" base_path: "/a\\000b"',
        f'name: "other" base_path: "{half}" model_platform: "onnx"',
    )
    out, told = lines(capfd, "--from", config)
    assert out == ["half: 1 version copied, 1 left out by its version policy"]
    assert [line.removeprefix("tfaas: ").replace(str(here), "HERE") for line in told] == [
        "'': its configuration gives it no name",
        "../../x: it cannot name a model here: a name is letters, digits, '.', '_' and '-', "
        "starting with a letter or digit, 128 at most; --rename '../../x'=NAME takes it as another",
        "empty: HERE/empty has no version, which is a folder called by its number",
        "far: its base_path is 'gs://models/far', expected an absolute path of this machine",
        "gone: HERE/gone cannot be read: No such file or directory",
        "loop: HERE/loop cannot be read: Too many levels of symbolic links",
        "nul: its base_path is '/a\\x00b', expected an absolute path of this machine",
        "other: its platform is 'onnx', and only models of TensorFlow are taken",
        "twice: 2 models have this name: give them different ones where they are",
    ]
    assert sorted(path.name for path in Path("stored").glob("[!.]*")) == ["half"]


def test_a_version_that_cannot_be_taken_is_told_and_the_others_are_taken(
    capfd: Capture, here: Path, made: Path, stored: Stored
) -> None:
    for number in ("5", "7", "8", "20240101120000", "0009", "9"):
        put(made / "two", here / "some" / number)
    (here / "some" / "6").mkdir()
    (here / "some" / "7" / "saved_model.pb").write_bytes(b"rubbish")
    (here / "some" / "8" / "saved_model.pb").unlink()
    (here / "some" / "8" / "saved_model.pb").symlink_to(made / "two" / "saved_model.pb")
    (here / "some" / "10").symlink_to(made / "three")
    out, told = lines(capfd, "--from", "some")
    assert out == ["some: 2 versions copied"]
    assert numbers(stored("some")) == [5, 10]
    place = str(here / "some")
    assert [line.removeprefix("tfaas: some: ").replace(place, "SOME") for line in told] == [
        "version 9: its folder is both 0009 and 9",
        "version 20240101120000: a version's number is from 1 to 2147483647 here",
        "version 6: SOME/6 holds no SavedModel and no model.graphdef",
        "version 8: SOME/8/saved_model.pb is neither a regular file nor a folder; replace a link "
        "by what it leads to (cp -rL copies so)",
        "version 7: saved_model.pb is not a SavedModel, or a damaged one",
    ]
    assert not list(Path("stored/.staging").iterdir())


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
        ('model_config_list { config { name: "\\377" } }', "models.config cannot be read: "),
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
    (here / "models.config").write_text("# none yet\n")
    for place in ("nothing", "models.config"):
        assert tfaas("copy", "--from", place, *TO) == "there are no models to copy\n"
    os.mkfifo(here / "pipe")
    assert "it is no regular file" in fails("copy", "--from", "pipe", *TO)
    with (here / "huge.config").open("wb") as file:
        file.truncate(1 << 40)
    assert "it has more than 4194304 bytes" in fails("copy", "--from", "huge.config", *TO)
