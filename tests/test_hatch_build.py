"""What is built with a compiler, and without."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = Path("plugins/tfaas_plugins/codecs/json/_number_lists.c")
LIBRARY = SOURCE.with_suffix(".abi3.so")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout as far as it is compiled, with a library of before."""
    (tmp_path / SOURCE).parent.mkdir(parents=True)
    shutil.copy(ROOT / SOURCE, tmp_path / SOURCE)
    (tmp_path / LIBRARY).write_bytes(b"of before")
    return tmp_path


def build(root: Path) -> tuple[dict[str, Any], list[str]]:
    """What the wheel is to hold and to be for, and what is told."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    told: list[str] = []
    application: Any = SimpleNamespace(display_warning=told.append)
    hook = module.CompilingHook(str(root), {}, None, None, str(root), "wheel", application)
    data: dict[str, Any] = {"artifacts": [], "pure_python": True}
    hook.initialize("standard", data)
    return data, told


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_a_compiler_makes_a_library_for_this_platform(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "gcc -Wall -Wextra -Werror")
    data, told = build(root)
    assert told == []
    assert data["artifacts"] == [f"/{LIBRARY}"]
    assert not data["pure_python"]
    assert data["tag"].startswith("cp311-abi3-")
    script = "import _number_lists; print(_number_lists.read(b'[[1.5], [2]]', 0, 9)[1:])"
    folder = (root / LIBRARY).parent
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True)
    assert done.stdout == b"((2, 1), False, 12)\n"


def test_without_a_compiler_the_wheel_is_for_any_platform(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(root / "nothing"))
    data, told = build(root)
    assert data == {"artifacts": [], "pure_python": True}
    assert [line.partition(":")[0] for line in told] == [
        "nothing is compiled, and TFaaS does without"
    ]
    assert not (root / LIBRARY).exists()


def test_what_is_not_to_be_compiled_is_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFAAS_COMPILE", "0")
    data, told = build(root)
    assert data == {"artifacts": [], "pure_python": True}
    assert told == []
    assert not (root / LIBRARY).exists()


def test_a_source_that_cannot_be_compiled_leaves_nothing_behind(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    (root / SOURCE).write_text("#error of its own\n")
    data, told = build(root)
    assert data["pure_python"]
    assert len(told) == 1
    assert [each.name for each in (root / SOURCE).parent.iterdir()] == [SOURCE.name]
