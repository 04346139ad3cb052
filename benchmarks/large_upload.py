"""A large upload: its time, the memory it takes, and what predictions suffer meanwhile."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeAlias, TypeVar

import msgspec
from httpx import Client

from benchmarks.bodies import as_json
from benchmarks.network import NAME, check_upload, client, predict, upload
from benchmarks.servers import Server, tfaas
from benchmarks.tarball import unpack_s
from benchmarks.watch import watching
from benchmarks.wrk import Load, Round, drive, drive_during

CONNECTIONS = 8
_LARGE = "large"
_BOUNDARY = "benchmark"
_CHUNK_BYTES = 1 << 18

_T = TypeVar("_T")
_Post: TypeAlias = Callable[[Client, Path], None]


class LargeUpload(msgspec.Struct, frozen=True):
    """What one way to upload a tarball gave.

    ``tar_s`` is what ``tar xzf`` of it takes. ``growth``: the peak growth of private memory in
    bytes, by kind of process. ``rounds``: predictions of another model, by what else was going on.
    """

    way: str
    size_bytes: int
    upload_s: float
    tar_s: float
    growth: dict[str, int]
    rounds: dict[str, Round]

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.rounds.values())

    def time_row(self) -> list[str]:
        """Way, MB, seconds of the upload and of ``tar xzf``, and their ratio."""
        ratio = self.upload_s / self.tar_s
        figures = [f"{one:.2f}" for one in (self.upload_s, self.tar_s, ratio)]
        return [self.way, f"{self.size_bytes / 1e6:.0f}", *figures]

    def growth_rows(self) -> list[list[str]]:
        """Way, kind of process, MB."""
        return [[self.way, kind, f"{size / 1e6:.1f}"] for kind, size in self.growth.items()]

    def prediction_rows(self) -> list[list[str]]:
        """Way, what else was going on, predictions/s, their share of those alone, p99, errors."""
        alone = next(iter(self.rounds.values())).requests_per_s
        return [
            [
                self.way,
                meanwhile,
                f"{one.requests_per_s:.0f}",
                f"{one.requests_per_s / alone:.2f}",
                f"{one.p99_us / 1000:.2f}",
                str(one.errors),
            ]
            for meanwhile, one in self.rounds.items()
        ]


def measure(storage: Path, tarball: Path, seconds: int) -> list[LargeUpload]:
    """Uploads a bundle as a body, then by a form, each to a server of its own.

    Their models are below the new folder ``storage``, which is removed.
    """
    found = []
    ways: dict[str, _Post] = {"body": _post_body, "form": _post_form}
    for way, post in ways.items():
        with tfaas(storage) as server, client(server.url) as to:
            upload(to, NAME)
            predict(to, NAME)
            found.append(_measure(server, tarball, seconds, way, partial(post, to, tarball)))
        shutil.rmtree(storage)
    return found


def _measure(
    server: Server, tarball: Path, seconds: int, way: str, send: Callable[[], None]
) -> LargeUpload:
    # First, because a process may keep the memory that an earlier upload took. And by itself,
    # because to look at memory takes time.
    with watching(server) as growth:
        _settled(send)
    grown = growth.by_kind(server)
    tar_s = _settled(lambda: unpack_s(tarball))
    upload_s = _settled(lambda: _seconds(send))
    rounds = _rounds(server, send, tarball, seconds)
    with client(server.url) as to:
        predict(to, _LARGE)
    return LargeUpload(way, tarball.stat().st_size, upload_s, tar_s, grown, rounds)


def _rounds(
    server: Server, send: Callable[[], None], tarball: Path, seconds: int
) -> dict[str, Round]:
    load = Load([as_json(NAME, 1)], CONNECTIONS)

    def during(work: Callable[[], object]) -> Round:
        return _settled(lambda: drive_during(server, load, work))

    return {
        "nothing": _settled(lambda: drive(server, load, seconds)),
        "`tar xzf`": during(lambda: unpack_s(tarball)),
        "the upload": during(send),
    }


def _settled(work: Callable[[], _T]) -> _T:
    """What ``work`` returns; it begins with nothing left to be written to the disk."""
    os.sync()
    return work()


def _seconds(work: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


def _post_body(to: Client, tarball: Path) -> None:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "gzip",
        "Content-Length": str(tarball.stat().st_size),
    }
    check_upload(
        to.post("/upload", params={"name": _LARGE}, content=_chunks(tarball), headers=headers)
    )


def _post_form(to: Client, tarball: Path) -> None:
    disposition = f"--{_BOUNDARY}\r\nContent-Disposition: form-data;"
    head = f'{disposition} name="name"\r\n\r\n{_LARGE}\r\n'
    head += f'{disposition} name="model"; filename="{tarball.name}"\r\n\r\n'
    tail = f"\r\n--{_BOUNDARY}--\r\n"
    headers = {
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(len(head) + tarball.stat().st_size + len(tail)),
    }
    content = chain([head.encode()], _chunks(tarball), [tail.encode()])
    check_upload(to.post("/upload", content=content, headers=headers))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk
