"""What a model on another host costs: ``python -m benchmarks.far_hosts``.

One row by JSON to a server that runs the model itself, to one whose model is behind a door of this
machine, and to one that speaks TLS with it, in turn. The CPU time is that of all processes of the
server and of the host, so that it can be compared on a busy machine, too. Nobody polls meanwhile:
that takes CPU time as long as somebody waits, however little is done.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median

import msgspec
import psutil

from benchmarks import network, options, servers
from benchmarks.bodies import as_json
from benchmarks.options import Options
from benchmarks.report import Report
from benchmarks.servers import Server
from benchmarks.wrk import Load, Round, drive

COUNTS = (1, 32, 128)
_HEADER = [
    *("connections", "the model is", "requests/s", "p50 µs", "CPU µs a request", "ratio"),
    "errors",
]
_ASLEEP = {"engine.busy_poll_us": 0}
_NAMES = "subjectAltName=IP:127.0.0.1"


class _Place(msgspec.Struct, frozen=True):
    """Where the model is: the server that is asked, and the processes that work for it."""

    name: str
    server: Server
    parents: tuple[int, ...]

    def played(self, load: Load, seconds: int) -> tuple[Round, float]:
        """What was measured, and the CPU time of a request, in microseconds."""
        begin_s = self._cpu_s()
        measured = drive(self.server, load, seconds)
        return measured, (self._cpu_s() - begin_s) / max(1, measured.requests) * 1e6

    def _cpu_s(self) -> float:
        parents = [psutil.Process(pid) for pid in self.parents]
        every = [*parents, *(child for each in parents for child in each.children(recursive=True))]
        return sum(sum(process.cpu_times()[:2]) for process in every)


def main() -> int:
    """Exits with 1 where a request was answered by an error."""
    given, report = options.parse(__doc__), Report()
    with tempfile.TemporaryDirectory(prefix="tfaas-bench-") as name, ExitStack() as stack:
        places = [stack.enter_context(each) for each in _places(Path(name))]
        for place in places:
            with network.client(place.server.url) as to:
                network.upload(to, network.NAME)
        errors = [_measured(report, given, places, count) for count in COUNTS]
    return 1 if any(errors) else 0


def _measured(report: Report, given: Options, places: list[_Place], connections: int) -> int:
    load = Load([as_json(network.NAME, 1)], connections)
    for place in places:
        drive(place.server, load, 1)
    found: dict[str, list[tuple[Round, float]]] = {place.name: [] for place in places}
    for number in range(given.rounds):
        for place in places[:: -1 if number % 2 else 1]:
            found[place.name].append(place.played(load, given.seconds))
    cpu = {name: [us for _round, us in rounds] for name, rounds in found.items()}
    here = cpu[places[0].name]
    rows, errors = [], 0
    for name, rounds in found.items():
        wrong = sum(one.errors for one, _us in rounds)
        ratio = median(us / local for us, local in zip(cpu[name], here, strict=True))
        per_s = median(one.requests_per_s for one, _us in rounds)
        p50 = median(one.p50_us for one, _us in rounds)
        cells = (f"{per_s:.0f}", f"{p50:.0f}", f"{median(cpu[name]):.1f}", f"{ratio:.2f}")
        rows.append([str(connections), name, *cells, str(wrong)])
        errors += wrong
    report.add(f"Models on other hosts, {connections} connections", _HEADER, rows)
    return errors


def _places(folder: Path) -> Iterator[AbstractContextManager[_Place]]:
    cert = _certificate(folder)
    tls = {"tls_cert": cert, "tls_ca": cert}
    yield _here(folder / "here")
    yield _elsewhere("behind a door", folder / "door", {})
    yield _elsewhere("behind a door, by TLS", folder / "tls", tls)


@contextmanager
def _here(folder: Path) -> Iterator[_Place]:
    with servers.tfaas(folder, _ASLEEP) as server:
        yield _Place("here", server, (server.pid,))


@contextmanager
def _elsewhere(name: str, folder: Path, tls: Mapping[str, object]) -> Iterator[_Place]:
    settings = {**_ASLEEP, **{f"engine.remote.{key}": value for key, value in tls.items()}}
    folder.mkdir()
    with servers.host(folder, settings) as host:
        remote = {"engine.kind": "remote", "engine.remote.hosts": f'["{host.url}"]', **settings}
        with servers.tfaas(folder, remote) as server:
            yield _Place(name, server, (server.pid, host.pid))


def _certificate(folder: Path) -> Path:
    """A certificate that has signed itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-days", "2", "-subj", "/CN=host", "-addext", _NAMES]
    made += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(made, check=True, capture_output=True)
    cert.write_text(cert.read_text() + key.read_text())
    return cert


if __name__ == "__main__":
    sys.exit(main())
