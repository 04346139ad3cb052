"""Forms on disks that are slow, full or gone, and forms that are cancelled or big."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tfaas_core.errors import StorageFull, StorageUnavailable
from tfaas_core.uploads.form import Form, OnField, read_form

MODEL = bytes(range(256))
NAME = b'--xyz\r\nContent-Disposition: form-data; name="name"\r\n\r\nvk\r\n'
HEAD = b'--xyz\r\nContent-Disposition: form-data; name="model"\r\n\r\n'
END = b"\r\n--xyz--\r\n"


async def whole(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def read(
    model: Path, stream: AsyncIterator[bytes] | None = None, on_field: OnField | None = None
) -> Form:
    """Reads a form with its model into ``model``."""
    return await read_form(
        stream or whole(NAME + HEAD + MODEL + END),
        "multipart/form-data; boundary=xyz",
        fields={"name": on_field},
        files={"model": model},
        max_bytes=1_000_000_000,
    )


def test_a_full_disk_is_said_so() -> None:
    with pytest.raises(StorageFull, match=r"'model' failed: .* is full in /dev; make room there"):
        asyncio.run(read(Path("/dev/full")))


def test_a_folder_that_is_gone_is_said_so(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(StorageUnavailable, match=f"failed in {gone}: No such file .*; see that"):
        asyncio.run(read(tmp_path / "gone" / "model"))


@pytest.fixture
def slow_file(tmp_path: Path) -> Iterator[Path]:
    """A pipe, which blocks whoever opens it until somebody reads it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rescues = []

    def rescue() -> None:
        """Lets everybody go on after a while, so that a blocked test fails, and does not hang."""
        rescues.append(os.open(pipe, os.O_RDWR))
        time.sleep(1)
        os.close(rescues[0])

    timer = threading.Timer(10, rescue)
    timer.start()
    yield pipe
    timer.cancel()
    timer.join()
    assert not rescues, "the event loop was blocked"


async def start_reading(model: Path) -> asyncio.Task[Form]:
    """A task that has just begun to write the model."""
    told = asyncio.Event()

    async def on_field(_value: str) -> None:
        told.set()

    reading = asyncio.create_task(read(model, on_field=on_field))
    await told.wait()  # from here to its first write the task does not pause
    return reading


def test_a_slow_disk_does_not_block_the_event_loop(slow_file: Path) -> None:
    async def scenario() -> None:
        reading = await start_reading(slow_file)
        assert await asyncio.to_thread(slow_file.read_bytes) == MODEL
        assert (await reading).files["model"].size_bytes == len(MODEL)

    asyncio.run(scenario())


def test_a_cancelled_upload_waits_for_its_last_write(slow_file: Path) -> None:
    async def scenario() -> None:
        reading = await start_reading(slow_file)
        reading.cancel()
        for _ in range(100):
            await asyncio.sleep(0)
        assert not reading.done()
        assert await asyncio.to_thread(slow_file.read_bytes) == MODEL
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(scenario())


def test_a_big_upload_takes_little_memory() -> None:
    blocks, block_bytes = 3200, 64 * 1024

    async def big() -> AsyncIterator[bytes]:
        yield HEAD
        for _ in range(blocks):
            yield bytes(bytearray(block_bytes))
        yield END

    tracemalloc.start()
    try:
        form = asyncio.run(read(Path("/dev/null"), big()))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert form.files["model"].size_bytes == blocks * block_bytes
    assert peak_bytes < 4 * 1024 * 1024
