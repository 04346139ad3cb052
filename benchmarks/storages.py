"""The storages beside each other: ``python benchmarks/storages.py``.

Uploads and cold loads of a large model, lists of many models, and what a second server on the same
storage has of all that.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

# Run as a file, Python looks for modules beside it only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import numpy as np
from httpx import Client
from tfaas_backends.storages.filesystem import make_filesystem_storage
from tfaas_backends.storages.sql import make_sql_storage

from benchmarks import machine, network, servers, wrk
from benchmarks.bodies import as_json
from benchmarks.report import Report
from benchmarks.servers import Server
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.storage import MODEL, Storage
from tfaas_core.testing.models import model_version
from tfaas_core.testing.postgresql import database_for, running_postgresql

_LARGE = "large"
_CONNECTIONS = 32
_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.005


class Contender(msgspec.Struct, frozen=True):
    """A storage: the settings of servers that share it but for their caches, by server."""

    name: str
    settings: Callable[[str], Mapping[str, object]]
    open: Callable[[str], Storage]


def main() -> None:
    options = _options()
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    with TemporaryDirectory(prefix="tfaas-bench-") as folder, ExitStack() as stack:
        contenders = list(_contenders(Path(folder), stack))
        graph = _large_graph(Path(folder) / "large.pb", options.megabytes << 20)
        report.add(*_large(contenders, graph, options.rounds))
        report.add(*_second_server(contenders, options.uploads, options.switches))
        report.add(*_lists(contenders, options.models))


def _contenders(folder: Path, stack: ExitStack) -> Iterator[Contender]:
    root = folder / "filesystem"
    yield Contender(
        "filesystem",
        lambda server: {"storage.root": root},
        lambda server: make_filesystem_storage({"root": str(root)}, folder),
    )
    for name in ("sqlite", "postgresql"):
        own = folder / name
        own.mkdir()
        if name == "sqlite":
            url = f"sqlite:///{own}/tfaas.db"
        else:
            url = database_for(own, stack.enter_context(running_postgresql(durable=True)).address)
        yield Contender(name, partial(_sql_settings, url, own), partial(_sql_storage, url, own))


def _sql_settings(url: str, folder: Path, server: str) -> Mapping[str, object]:
    return {"storage.kind": "sql", "storage.url": url, "storage.cache": folder / f"cache-{server}"}


def _sql_storage(url: str, folder: Path, server: str) -> Storage:
    return make_sql_storage({"url": url, "cache": str(folder / f"cache-{server}")}, folder)


# A large model.


def _large_graph(path: Path, size: int) -> Path:
    """A frozen graph ``x [?, 2] -> y [?, 1]`` with a constant of this many bytes of noise."""
    import tensorflow as tf

    numbers = np.random.default_rng(1).random((size // 8, 2), np.float32)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], "x")
        noise = tf.constant(numbers, name="noise")
        tf.add(tf.reduce_sum(x, 1, keepdims=True), noise[0, 0], "y")
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def _large(
    contenders: list[Contender], graph: Path, rounds: int
) -> tuple[str, list[str], list[list[str]]]:
    uploads: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    loads: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            name = f"{_LARGE}-{number}"
            with _started(contender, "first") as server, network.client(server.url) as to:
                _warm_up(to)
                uploads[contender.name].append(_seconds(_upload, to, name, graph))
            # Its cache is empty, as on a new host.
            with _started(contender, f"cold-{number}") as server, network.client(server.url) as to:
                _warm_up(to)
                loads[contender.name].append(_seconds(_predict, to, name))
    rows = []
    for contender in contenders:
        upload_s, load_s = median(uploads[contender.name]), median(loads[contender.name])
        upload_ratio = _ratio(uploads[contender.name], uploads["filesystem"])
        load_ratio = _ratio(loads[contender.name], loads["filesystem"])
        rows.append([contender.name, f"{upload_s:.2f}", upload_ratio, f"{load_s:.2f}", load_ratio])
    title = f"A model of {graph.stat().st_size / 1e6:.0f} MB (medians of {rounds})"
    return title, ["storage", "upload s", "ratio", "cold load s", "ratio"], rows


def _ratio(times_s: list[float], others_s: list[float]) -> str:
    return f"{median(a / b for a, b in zip(times_s, others_s, strict=True)):.2f}"


# A second server.


def _second_server(
    contenders: list[Contender], uploads: int, switches: int
) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for contender in contenders:
        with (
            _started(contender, "first") as first,
            _started(contender, "second") as second,
            network.client(first.url) as to,
            network.client(second.url) as other,
        ):
            for either in (to, other):
                _warm_up(either)
            waits_s = [_until_served(to, other, f"new-{number}") for number in range(uploads)]
            network.upload(to, network.NAME)
            _wait(other, network.NAME)
            load = wrk.Load([as_json(network.NAME, 1)], _CONNECTIONS)

            def switch(to: Client = to) -> None:
                for _ in range(switches):
                    network.upload(to, network.NAME)

            round_ = wrk.drive_during(second, load, switch)
            _wait_for_version(other, switches + 1)
        waits = f"{median(waits_s) * 1000:.0f} ms, {max(waits_s) * 1000:.0f} ms"
        rows.append([contender.name, waits, str(round_.requests), str(round_.errors)])
    header = ["storage", "until the other serves: median, most"]
    header += [f"requests to it during {switches} switches", "failed"]
    return "A second server", header, rows


def _wait_for_version(other: Client, version: int) -> None:
    end_s = time.monotonic() + _WITHIN_S
    while other.get(f"/models/{network.NAME}").json()["version"] != version:
        if time.monotonic() > end_s:
            raise servers.BenchmarkFailedError(f"the other server does not serve {version}")
        time.sleep(_LOOK_EVERY_S)


def _until_served(to: Client, other: Client, name: str) -> float:
    """Seconds from the answer to an upload until the other server answers for that model."""
    network.upload(to, name)
    start_s = time.perf_counter()
    _wait(other, name)
    return time.perf_counter() - start_s


def _wait(other: Client, name: str) -> None:
    end_s = time.monotonic() + _WITHIN_S
    while not network.is_served(other, name):
        if time.monotonic() > end_s:
            raise servers.BenchmarkFailedError(f"the other server does not serve {name}")
        time.sleep(_LOOK_EVERY_S)


# Many models.


def _lists(contenders: list[Contender], models: int) -> tuple[str, list[str], list[list[str]]]:
    rows = []
    for contender in contenders:
        storage = contender.open("first")
        storage.open()
        for number in range(models):
            _store(storage, f"model-{number}")
        storage.close()
        storage = contender.open("first")
        storage.open()
        first_s, again_s = _seconds(storage.list), _seconds(storage.list)
        storage.close()
        with _started(contender, "first") as server, network.client(server.url) as to:
            answer_s = median(_seconds(lambda to=to: to.get("/models")) for _ in range(5))
        cells = (first_s, again_s, answer_s)
        rows.append([contender.name, *(f"{seconds * 1000:.0f}" for seconds in cells)])
    header = ["storage", "first list ms", "unchanged list ms", "`GET /models` ms"]
    return f"{models} models", header, rows


def _store(storage: Storage, name: str) -> None:
    staging = storage.stage()
    (staging / MODEL).write_bytes(name.encode())
    version = msgspec.structs.replace(
        model_version(name=name, version=0), checksum=artifact_checksum(staging / MODEL)
    )
    with storage.claim(name) as claim:
        storage.commit(claim, staging, version)


# What they share.


@contextmanager
def _started(contender: Contender, server: str) -> Iterator[Server]:
    with (
        TemporaryDirectory(prefix="tfaas-bench-") as folder,
        servers.tfaas(Path(folder), contender.settings(server)) as started,
    ):
        yield started


def _warm_up(to: Client) -> None:
    """Waits until TensorFlow is imported, with a model that is gone afterwards."""
    network.upload(to, "small")
    network.remove(to, "small")


def _upload(to: Client, name: str, graph: Path) -> None:
    with graph.open("rb") as file:
        to.post("/upload", data={"name": name}, files={"model": file}).raise_for_status()


def _predict(to: Client, name: str) -> None:
    columns = to.get(f"/models/{name}").json()["signature"]["inputs"][0]["shape"][1]
    to.post("/json", json={"model": name, "values": [0.5] * columns}).raise_for_status()


def _seconds(work: Callable[..., object], *arguments: object) -> float:
    start_s = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start_s


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100, help="of the large model")
    parser.add_argument("--rounds", type=int, default=3, help="of the large model")
    parser.add_argument("--uploads", type=int, default=20, help="that the other server waits for")
    parser.add_argument("--switches", type=int, default=100, help="of versions, under load")
    parser.add_argument("--models", type=int, default=10_000, help="in the list")
    return parser.parse_args()


if __name__ == "__main__":
    main()
