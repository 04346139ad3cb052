"""What protection costs: vetting, sandboxes and TLS, each on beside off, in turn."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psutil

from benchmarks.bodies import as_json
from benchmarks.nginx import is_installed, nginx
from benchmarks.options import parse
from benchmarks.report import Report
from benchmarks.servers import BenchmarkFailedError, Server
from benchmarks.wrk import Load, drive
from tfaas_core.system.resources.memory import private_bytes
from tfaas_core.testing.server import RunningServer, http_client, running_server
from tfaas_core.testing.waiting import until

_UPLOADS, _PREDICTIONS, _COPIES = 4, 300, 4
_CONNECTIONS = 32
_ALONE = ("server.workers=1", "engine.busy_poll_us=0", "engine.threads=1")
"""So that nothing but the work itself takes time."""

_OFF = (
    *("engine.sandbox=off", "server.sandbox=off"),
    *("server.decoders=off", "models.policy=off"),
)
_MODEL = Path(__file__).parents[1] / "backends/tfaas_backends/demo/particles.pb"
_ROW = {"model": "particles", "values": [1.0] * 42}

_HTTP = "upstream tfaas {{ server {address}; keepalive 64; }}"
_SERVER = """
        ssl_certificate {cert}; ssl_certificate_key {cert};
        location / {{
            proxy_pass http://tfaas; proxy_http_version 1.1; proxy_set_header Connection "";
        }}"""


def models(rounds: int) -> list[list[str]]:
    """Uploads, predictions and memory of two servers, in turn and in changing order."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        off = running_server(Path(one), *_ALONE, *_OFF)
        with off as bare, running_server(Path(two), *_ALONE) as protected:
            servers = (bare, protected)
            for server in servers:
                server.upload("particles", _MODEL).raise_for_status()
            uploads: list[list[float]] = [[], []]
            cpu: list[list[float]] = [[], []]
            for turn in range(rounds):
                for place in (0, 1) if turn % 2 else (1, 0):
                    uploads[place] += _uploads_ms(servers[place], _UPLOADS)
                    cpu[place].append(_prediction_us(servers[place]))
            memory = [_model_kb(server) for server in servers]
    return [
        ["upload and load, ms", *_pair(uploads, 1), "10 % or 20 ms"],
        ["a prediction, us of CPU time of worker and model", *_pair(cpu, 1), "2 %"],
        ["a model, kB of private memory", *_pair(memory, 0), "1000 kB"],
    ]


def _uploads_ms(server: RunningServer, count: int) -> Iterator[float]:
    for number in range(count):
        start_s = time.perf_counter()
        server.upload(f"uploaded-{number}", _MODEL).raise_for_status()
        yield 1e3 * (time.perf_counter() - start_s)


def _prediction_us(server: RunningServer) -> float:
    server.predict(**_ROW).raise_for_status()
    # Those of versions that uploads have replaced are on their way out.
    until(lambda: len(server.model_processes()) == 1 + _UPLOADS)
    watched = [*server.workers(), *server.model_processes()]
    before = sum(map(_cpu_s, watched))
    for _turn in range(_PREDICTIONS):
        server.predict(**_ROW).raise_for_status()
    return 1e6 * (sum(map(_cpu_s, watched)) - before) / _PREDICTIONS


def _cpu_s(process: psutil.Process) -> float:
    # In nanoseconds, and not in ticks.
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _model_kb(server: RunningServer) -> list[float]:
    for number in range(_COPIES):
        name = f"uploaded-{number}"
        server.predict(model=name, values=_ROW["values"]).raise_for_status()
    return [(private_bytes(process.pid) or 0) / 1e3 for process in server.model_processes()]


def _pair(found: Sequence[Sequence[float]], digits: int) -> list[str]:
    off, on = map(median, found)
    both = [f"{off:.{digits}f}", f"{on:.{digits}f}"]
    return [*both, f"{on - off:+.{digits}f}", f"{on / off - 1:+.1%}"]


def connections(rounds: int, seconds: int) -> tuple[list[list[str]], str]:
    """Predictions a second over plain HTTP, TLS, and TLS of nginx in front, in turn."""
    note = "" if is_installed() else "nginx is not installed, and was left out."
    with tempfile.TemporaryDirectory(prefix="tfaas-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        cert = _certificate(folder)
        kinds = {"plain": [], "TLS": [f"server.tls_cert={cert}"]}
        contenders = [stack.enter_context(_serving(folder, *kind)) for kind in kinds.items()]
        if not note:
            plain = contenders[0].url.removeprefix("http://")
            contenders.append(stack.enter_context(_nginx(folder, plain, cert)))
        return _driven(contenders, rounds, seconds), note


@contextmanager
def _serving(folder: Path, kind: str, settings: Sequence[str]) -> Iterator[Server]:
    (folder / kind).mkdir()
    with running_server(folder / kind, *settings) as server:
        with http_client(server.url, verify=False) as client:
            files = {"model": ("model.pb", _MODEL.read_bytes())}
            client.post("/upload", data={"name": "particles"}, files=files).raise_for_status()
        yield Server(kind, server.process.pid, server.url)


def _nginx(folder: Path, address: str, cert: Path) -> AbstractContextManager[Server]:
    name, server = "TLS of nginx, in front of plain", _SERVER.format(cert=cert)
    return nginx(name, folder, server, _HTTP.format(address=address), has_tls=True)


def _certificate(folder: Path) -> Path:
    """A file with a certificate, signed by itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    return both


def _driven(contenders: Sequence[Server], rounds: int, seconds: int) -> list[list[str]]:
    load = Load([as_json("particles", 1)], _CONNECTIONS)
    found: dict[str, list[float]] = {server.name: [] for server in contenders}
    for turn in range(rounds):
        for server in contenders if turn % 2 else contenders[::-1]:
            measured = drive(server, load, seconds)
            if measured.errors:
                raise BenchmarkFailedError(f"{server.name} had {measured.errors} errors")
            found[server.name].append(measured.requests_per_s)
    plain = median(found["plain"])
    return [
        [name, f"{median(kept):.0f}", f"{median(kept) / plain:.0%}"] for name, kept in found.items()
    ]


def main() -> None:
    options = parse(__doc__)
    report = Report()
    header = ["what", "off", "on", "difference", "in percent", "goal, at most"]
    report.add("What protection costs", header, models(2 * options.rounds))
    rows, note = connections(options.rounds, min(options.seconds, 5))
    header = ["how", "predictions/s", "of plain"]
    report.add(f"TLS, with {_CONNECTIONS} connections", header, rows, note)


if __name__ == "__main__":
    main()
