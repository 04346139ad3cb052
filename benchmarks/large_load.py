"""Large load: what loading a large SavedModel takes beside reading its files twice, and in memory:
``python -m benchmarks.large_load``.

A server may have one model loaded. A small one is asked, so that the large one goes; then the large
one is asked, and is loaded before it answers. In turn with that, its files are read twice, one time
after the other: whole, into new memory, as a load has to; and in pieces of 1 MiB, into the same
memory. All begin with all of the files in the page cache (warm), or with none (cold).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from operator import truediv
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import msgspec
import psutil

from benchmarks import large_models, machine
from benchmarks.large_models import MATRICES, TABLES
from benchmarks.network import NAME, check_upload, predict, upload
from benchmarks.report import Report
from benchmarks.saved_model import write_by
from benchmarks.servers import BenchmarkFailedError, Server, tfaas
from benchmarks.watch import watching

GOAL = 1.0
"""Of the time by the clock."""

MOST_MEMORY = 1.1
"""As a multiple of the model's size; TensorFlow has some beside it."""

_LARGE = "large"
_PIECE_BYTES = 1 << 20
_TIMEOUT_S = 600
_LOOK_EVERY_S = 0.05
_HEADER = ["by", "read twice, s", "in pieces, s", "loaded, s", "ratio", "of pieces", "goal"]


class Cost(msgspec.Struct, frozen=True):
    """What something takes: by the clock, and of processor time."""

    clock_s: float
    processor_s: float


def main() -> None:
    """Prints the tables."""
    given = _parse()
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    for kind in given.kinds:
        with TemporaryDirectory(prefix="tfaas-bench-", dir=given.folder) as name:
            _measure(report, Path(name), kind, given)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=[TABLES, MATRICES], default=[TABLES])
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="three times the size is written there; default: TMPDIR")
    return parser.parse_args()


def _measure(report: Report, folder: Path, kind: str, given: argparse.Namespace) -> None:
    tarball = _packed(folder, kind, given.mib)
    settings = {
        "engine.max_loaded_models": 1,
        "limits.max_upload_bytes": 2 * tarball.stat().st_size,
        "server.request_timeout_s": _TIMEOUT_S,
        "server.workers": 1,
    }
    with (
        tfaas(folder / "models", settings) as server,
        httpx.Client(base_url=server.url, timeout=_TIMEOUT_S) as to,
    ):
        upload(to, NAME)
        _upload(to, tarball)
        files = _stored(folder / "models")
        size_bytes = sum(file.stat().st_size for file in files)
        for warm in (True, False):
            rounds = [_round(to, files, warm, n) for n in range(given.rounds)]
            files_are = "warm" if warm else "cold"
            report.add(f"Loads of {kind}, files {files_are}", _HEADER, _rows(rounds))
        peak = _peak_bytes(server, to)
    header = ["at most, MB", "as a multiple of its size", "goal"]
    row = [f"{peak / 1e6:.0f}", f"{peak / size_bytes:.2f}", f"{MOST_MEMORY}"]
    report.add(f"Memory of {kind}", header, [row])


def _packed(folder: Path, kind: str, mib: int) -> Path:
    model, tarball = folder / _LARGE, folder / f"{_LARGE}.tar"
    write_by(large_models.__name__, model, Path(kind), Path(str(mib)))
    subprocess.run(["tar", "-cf", tarball, "-C", folder, "--remove-files", _LARGE], check=True)
    return tarball


def _upload(to: httpx.Client, tarball: Path) -> None:
    headers = {"Content-Type": "application/x-tar", "Content-Length": str(tarball.stat().st_size)}
    with tarball.open("rb") as opened:
        pieces = iter(lambda: opened.read(_PIECE_BYTES), b"")
        check_upload(to.post("/upload", params={"name": _LARGE}, content=pieces, headers=headers))
    tarball.unlink()


def _stored(root: Path) -> list[Path]:
    """The files of the model's artifact, as the server reads them."""
    (data,) = root.rglob("variables.data-*")
    return [file for file in data.parents[1].rglob("*") if file.is_file()]


class _Round(msgspec.Struct, frozen=True):
    """Of reading twice, whole and in pieces, and of a load."""

    read: Cost
    in_pieces: Cost
    loaded: Cost


def _round(to: httpx.Client, files: Sequence[Path], warm: bool, number: int) -> _Round:
    """The load is the last, or the first, in turn."""
    steps = [
        partial(_reading, files, warm, _read),
        partial(_reading, files, warm, _read_in_pieces),
        partial(_loading, to, files, warm),
    ]
    order = steps[:: -1 if number % 2 else 1]
    costs = [step() for step in order]
    return _Round(*costs[:: -1 if number % 2 else 1])


def _reading(files: Sequence[Path], warm: bool, read: Callable[[Sequence[Path]], None]) -> Cost:
    _prepare(files, warm)
    began_s, busy_s = time.perf_counter(), time.process_time()
    read(files)
    read(files)
    return Cost(time.perf_counter() - began_s, time.process_time() - busy_s)


def _loading(to: httpx.Client, files: Sequence[Path], warm: bool) -> Cost:
    _unload(to)
    _prepare(files, warm)
    began_s = time.perf_counter()
    _ask(to)
    lasted_s = time.perf_counter() - began_s
    return Cost(lasted_s, sum(psutil.Process(_loaded(to)[_LARGE]).cpu_times()[:2]))


def _prepare(files: Sequence[Path], warm: bool) -> None:
    """Has all of the files in the page cache, or nothing."""
    if warm:
        _read_in_pieces(files)
        return
    os.sync()
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(files: Sequence[Path]) -> None:
    for file in files:
        file.read_bytes()


def _read_in_pieces(files: Sequence[Path]) -> None:
    piece = bytearray(_PIECE_BYTES)
    for file in files:
        with file.open("rb", buffering=0) as opened:
            while opened.readinto(piece):
                pass


def _unload(to: httpx.Client) -> None:
    """Has the small model take the large one's place."""
    predict(to, NAME)
    while _LARGE in _loaded(to):
        time.sleep(_LOOK_EVERY_S)


def _loaded(to: httpx.Client) -> dict[str, int]:
    """The processes of models, by the models' names."""
    models = to.get("/status").raise_for_status().json()["models"]
    return {one["model"].partition("/")[0]: one["pid"] for one in models}


def _ask(to: httpx.Client) -> None:
    path = f"/models/{_LARGE}/predict/json"
    answer = to.post(path, json={"values": [[1.0, 0.0, 0.0, 0.0]]})
    if answer.status_code != httpx.codes.OK:
        raise BenchmarkFailedError(f"{answer.status_code}: {answer.text}")


def _peak_bytes(server: Server, to: httpx.Client) -> int:
    """The most private memory that the model's process has while it is loaded."""
    _unload(to)
    with watching(server) as growth:
        _ask(to)
    return growth.by_kind(server)["new model"]


def _rows(rounds: Sequence[_Round]) -> list[list[str]]:
    """By the clock, and by processor time."""
    rows = []
    for by, field, goal in (("clock", "clock_s", f"{GOAL}"), ("processor", "processor_s", "")):
        read_s, pieces_s, loaded_s = (
            [getattr(getattr(each, step), field) for each in rounds]
            for step in _Round.__struct_fields__
        )
        found = [median(each) for each in (read_s, pieces_s, loaded_s)]
        found += [median(map(truediv, loaded_s, other)) for other in (read_s, pieces_s)]
        rows.append([by, *(f"{each:.2f}" for each in found), goal])
    return rows


if __name__ == "__main__":
    main()
