"""While uploads take long, all else that needs a thread goes on."""

from __future__ import annotations

import asyncio
import io
import tarfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tfaas_core.config import Config
from tfaas_core.engine.base import WorkerContext
from tfaas_core.files.archives import archive_at
from tfaas_core.models.model import ModelVersion, now_text
from tfaas_core.predict.example_runs import ExampleRuns
from tfaas_core.storage import MODEL, Claim
from tfaas_core.testing.fake_engine import FakeEngine
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.waiting import until
from tfaas_core.uploads.bundle import BundleLimits
from tfaas_core.uploads.form import FormFile
from tfaas_core.uploads.package import Received
from tfaas_core.uploads.publisher import Publisher
from tfaas_core.uploads.quota import Quota
from tfaas_core.uploads.upload import Upload

MORE_THAN_ASYNCIO_HAS = 40


class SlowQuota(Quota):
    """Unpacking a bundle, or storing a version, waits until it may go on."""

    def __init__(self, storage: FakeStorage, slow: str) -> None:
        super().__init__(storage)
        self.slow = slow
        self.may_go_on = threading.Event()
        self.waiting = 0

    def reserve(self, staging: Path, size_bytes: int, ahead_bytes: int = 0) -> int:
        self._wait("unpack")
        return super().reserve(staging, size_bytes, ahead_bytes)

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        if claim.name.startswith("large"):
            self._wait("store")
        return super().commit(claim, staging, version, live)

    def _wait(self, what: str) -> None:
        if what == self.slow:
            self.waiting += 1
            self.may_go_on.wait(60)


async def told(_name: str) -> None: ...


@asynccontextmanager
async def publishing(storage: FakeStorage, quota: Quota) -> AsyncIterator[Publisher]:
    limits, runtimes = BundleLimits(1 << 20, 10), {"fake": FakeRuntime()}
    engine = FakeEngine()
    engine.attach(WorkerContext(Config(), runtimes, 1, 0, None, storage.artifact))
    examples = ExampleRuns(engine, {}, 100)
    publisher = Publisher(
        storage, engine, runtimes, told, now_text, 9, limits, examples, quota=quota
    )
    try:
        yield publisher
    finally:
        publisher.close()


def tarball() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("model.pb")
        member.size = len(b"times 2")
        tar.addfile(member, io.BytesIO(b"times 2"))
    return buffer.getvalue()


async def uploaded(publisher: Publisher, name: str, content: bytes) -> str:
    async with Upload.begun(publisher) as upload:
        await upload.claim(name)
        path = upload.staging / MODEL
        path.write_bytes(content)
        file = FormFile(path, "model.pb", len(content), "0" * 64, archive_at(path))
        return (await upload.publish(Received(file))).name


@pytest.mark.parametrize(("slow", "content"), [("unpack", tarball), ("store", lambda: b"times 2")])
@in_event_loop
async def test_others_are_stored_and_deleted(
    tmp_path: Path, slow: str, content: Callable[[], bytes]
) -> None:
    storage = FakeStorage(tmp_path / "storage")
    storage.open()
    quota = SlowQuota(storage, slow)
    async with publishing(storage, quota) as publisher, AsyncExitStack() as ending:
        ending.callback(quota.may_go_on.set)
        await uploaded(publisher, "small", b"times 2")
        names = [f"large-{number}" for number in range(MORE_THAN_ASYNCIO_HAS)]
        large = [asyncio.create_task(uploaded(publisher, name, content())) for name in names]
        await asyncio.wait_for(asyncio.to_thread(until, lambda: quota.waiting > 0), 30)
        if slow == "unpack":
            await asyncio.wait_for(uploaded(publisher, "another", b"times 2"), 30)
        await asyncio.wait_for(publisher.remove("small"), 30)
        assert storage.model("small") is None
        assert not any(task.done() for task in large)
        quota.may_go_on.set()
        assert await asyncio.gather(*large) == names
