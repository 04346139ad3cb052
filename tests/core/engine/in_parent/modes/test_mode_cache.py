"""What is kept of modes, and what else may lie there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tfaas_core.engine.in_parent.modes.mode_cache import ModeCache
from tfaas_core.engine.shared.mode import Mode

MODE = Mode("quick", 2, "it is quick", 0, lasts=True)


def test_a_mode_is_found_by_the_key_of_its_version(tmp_path: Path) -> None:
    cache = ModeCache(tmp_path / "cache" / "modes")
    assert cache.find("vk") is None
    cache.keep("vk", MODE)
    assert cache.find("vk") == MODE
    assert cache.find("vk2") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b'{"threads": "two"}', b'{"x":' + b"[" * 10_000],
    ids=["empty", "no text", "no mode", "nested too deep"],
)
def test_a_damaged_entry_is_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    cache = ModeCache(tmp_path)
    cache.keep("vk", MODE)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(content)
    assert cache.find("vk") is None
    cache.keep("vk", MODE)
    assert cache.find("vk") == MODE


def test_nobody_waits_for_who_writes_to_a_pipe_in_its_place(tmp_path: Path) -> None:
    cache = ModeCache(tmp_path)
    cache.keep("vk", MODE)
    (entry,) = tmp_path.iterdir()
    entry.unlink()
    os.mkfifo(entry)
    with pytest.raises(OSError, match="no regular file"):
        cache.find("vk")
    cache.keep("vk", MODE)
    assert cache.find("vk") == MODE
    assert list(tmp_path.iterdir()) == [entry]
