"""``tfaas copy`` between two folders."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tfaas_backends.storages.filesystem.storage import FilesystemStorage

from tests.cli.conftest import Fails, Tfaas
from tests.cli.half_copy import STORED, half_copy
from tfaas_core.cli import main
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.storage_processes import Shape, upload

MakeStorage = Callable[[str], FilesystemStorage]
Capture = pytest.CaptureFixture[str]

SIDES = ("--from", "a.toml", "--to", "b.toml")


@pytest.fixture
def sides(here: Path) -> Iterator[tuple[FilesystemStorage, FilesystemStorage]]:
    """The storages of ``a.toml`` and ``b.toml``."""
    storages = []
    for side in "ab":
        (here / f"{side}.toml").write_text(f'[storage]\nroot = "{side}"\n')
        storages.append(FilesystemStorage(here / side))
        storages[-1].open()
    yield storages[0], storages[1]
    for storage in storages:
        storage.close()


@pytest.fixture
def source(sides: tuple[FilesystemStorage, FilesystemStorage]) -> FilesystemStorage:
    return sides[0]


@pytest.fixture
def target(sides: tuple[FilesystemStorage, FilesystemStorage]) -> FilesystemStorage:
    return sides[1]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tfaas_core", "copy", *SIDES, *arguments]


def test_all_models_are_copied_with_the_default_and_only_once(
    tfaas: Tfaas, source: FilesystemStorage, target: FilesystemStorage
) -> None:
    assert tfaas("copy", *SIDES) == "there are no models to copy\n"
    upload(source, "vk", b"1")
    tfaas("copy", *SIDES)
    for seed in (b"2", b"3", b"4"):
        upload(source, "vk", seed)
    upload(source, "other", shape=Shape.FOLDER)
    with source.claim("vk") as claim:
        source.point(claim, Pointers((1, 4, 3), {"canary": 4}))
    source.choose_default(DefaultChoice("other", "2026-01-01"))
    assert tfaas("copy", *SIDES) == (
        "other: 1 version copied\nvk: 3 versions copied, 1 there already\ndefault model: other\n"
    )
    assert target.list() == source.list()
    assert tfaas("copy", *SIDES) == "other: 1 version there already\nvk: 4 versions there already\n"


def test_models_may_be_named_and_the_default_is_none_of_them(
    tfaas: Tfaas, source: FilesystemStorage, target: FilesystemStorage
) -> None:
    for name in ("a", "b", "c"):
        upload(source, name)
    source.choose_default(DefaultChoice("b", "2026-01-01"))
    assert tfaas("copy", *SIDES, "c", "b", "c") == "c: 1 version copied\nb: 1 version copied\n"
    assert [model.name for model in target.list()] == ["b", "c"]
    assert target.default() is None


def test_what_cannot_be_copied_is_told_and_the_others_are_copied(
    capfd: Capture, source: FilesystemStorage, target: FilesystemStorage
) -> None:
    for name in ("a", "b", "c"):
        upload(source, name, b"here")
    upload(target, "b", b"there")
    damaged = upload(source, "d", b"here")
    source.artifact(damaged).write_bytes(b"other")
    assert main(["copy", *SIDES, "a", "b", "nobody", "c", "d"]) == 1
    captured = capfd.readouterr()
    assert captured.out == "a: 1 version copied\nc: 1 version copied\n"
    errors = captured.err.splitlines()
    assert [line.split(":")[:2] for line in errors] == [
        ["tfaas", " b"],
        ["tfaas", " nobody"],
        ["tfaas", " d"],
    ]
    assert "the target has another b/1" in errors[0]
    assert "there is no model 'nobody' to copy" in errors[1]
    assert "are not what was stored" in errors[2]
    assert [model.name for model in target.list()] == ["a", "b", "c"]


def test_json_tells_all_of_it(capfd: Capture, source: FilesystemStorage, here: Path) -> None:
    upload(source, "vk")
    source.choose_default(DefaultChoice("vk", "2026-01-01"))
    assert main(["copy", *SIDES, "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {
        "models": [{"name": "vk", "copied": 1, "there": 0}],
        "failed": [],
        "default": "vk",
    }
    assert main(["copy", *SIDES, "--json", "x"]) == 1
    assert json.loads(capfd.readouterr().out) == {
        "models": [],
        "failed": [{"name": "x", "error": "there is no model 'x' to copy"}],
        "default": None,
    }


def test_one_storage_is_not_copied_onto_itself(fails: Fails, source: object, here: Path) -> None:
    (here / "again.toml").write_text('[server]\nport = 9000\n[storage]\nroot = "a"\n')
    for other in ("a.toml", "again.toml"):
        assert "have the same storage" in fails("copy", "--from", "a.toml", "--to", other)


def test_a_root_of_the_same_name_in_another_folder_is_another_storage(
    tfaas: Tfaas, source: FilesystemStorage, here: Path
) -> None:
    upload(source, "vk")
    (here / "sub").mkdir()
    (here / "sub" / "a.toml").write_text((here / "a.toml").read_text())
    assert tfaas("copy", "--from", "a.toml", "--to", "sub/a.toml") == "vk: 1 version copied\n"
    assert (here / "sub" / "a" / "vk" / "1").is_dir()


def test_the_environment_is_of_neither_side(
    tfaas: Tfaas, source: FilesystemStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(source, "vk")
    monkeypatch.setenv("TFAAS_STORAGE__ROOT", "elsewhere")
    assert tfaas("copy", *SIDES) == "vk: 1 version copied\n"


def test_wrong_configurations_and_storages_are_one_line(
    fails: Fails, source: object, here: Path
) -> None:
    (here / "wrong.toml").write_text("[storage]\nrot = 1\n")
    (here / "file.toml").write_text('[storage]\nroot = "wrong.toml"\n')
    for wrong, words in (
        ("nowhere.toml", "there is no configuration file nowhere.toml"),
        ("wrong.toml", "rot"),
        ("file.toml", "is a file; name a folder"),
    ):
        assert words in fails("copy", "--from", "a.toml", "--to", wrong)
        assert words in fails("copy", "--from", wrong, "--to", "a.toml")
    assert fails("copy", "--from", "a.toml", status=2) == "Missing option '--to'."


def test_a_terminal_shows_how_far_it_is(source: FilesystemStorage, here: Path) -> None:
    upload(source, "vk")
    ours, theirs = pty.openpty()
    done = subprocess.run(command(), stderr=theirs, stdout=subprocess.PIPE, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "vk" in shown
    assert "100%" in shown
    assert done.stdout == b"vk: 1 version copied\n"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_command_that_ends_half_way_is_run_again(
    tfaas: Tfaas,
    source: FilesystemStorage,
    target: FilesystemStorage,
    here: Path,
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    for seed in range(STORED + 2):
        upload(source, "vk", f"{seed}".encode())
    with half_copy(tmp_path, *SIDES) as process:
        process.send_signal(how)
        _out, errors = process.communicate(timeout=60)
    assert errors.strip() == ""
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    model, whole = target.model("vk"), source.model("vk")
    assert model is not None
    assert whole is not None
    assert model.versions == whole.versions[:STORED]
    assert tfaas("copy", *SIDES) == f"vk: 2 versions copied, {STORED} there already\n"
    assert target.list() == source.list()
    assert list((here / "b" / ".staging").iterdir()) == []
