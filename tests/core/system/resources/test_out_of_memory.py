"""Kills for lack of memory are seen by the kernel's count of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfaas_core.system.resources.out_of_memory import OutOfMemory


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/server", "sys/fs/cgroup/server/memory.events"),
        ("4:memory:/server", "sys/fs/cgroup/memory/server/memory.oom_control"),
    ],
)
def test_a_count_that_grows_is_a_kill(tmp_path: Path, line: str, file: str) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"9:pids:/\n{line}\n")
    count = tmp_path / file
    count.parent.mkdir(parents=True)
    count.write_text("low 0\noom 4\noom_kill 4\n")
    watched = OutOfMemory(tmp_path)
    assert not watched.killed_lately()
    count.write_text("low 0\noom 5\noom_kill 5\n")
    assert watched.killed_lately()
    assert watched.killed_lately()


def test_a_system_without_control_groups_is_none_that_kills(tmp_path: Path) -> None:
    assert not OutOfMemory(tmp_path).killed_lately()


def test_this_system_can_be_asked() -> None:
    assert not OutOfMemory().killed_lately()
