"""Pictures, made when they are needed: always the same ones. And how fast JPEGs are answered.

``python -m benchmarks.pictures`` sends a JPEG of 640 x 480 again and again, by wrk with 8
connections, to networks that take 224 x 224 pixels: MobileNetV2, and two small ones. Beside that,
Pillow decodes the JPEG in a loop, which no server can do without, and TensorFlow computes a row in
a loop, in the better of its modes. All take turns. What the slower of these two could do on all
cores is what the server is compared with: by the clock, and by the processor time of its processes.
As the server does both, that is compared with both together, too.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from PIL import Image

from benchmarks import machine
from benchmarks.bodies import Body
from benchmarks.modes import (
    LIGHT,
    SMALL,
    Cost,
    medians,
    plain_tensorflow,
    processor_s,
    upload_network,
    write_networks,
)
from benchmarks.options import Options, parse
from benchmarks.reading import picture
from benchmarks.report import Report
from benchmarks.servers import WORKERS, BenchmarkFailedError, Server, tfaas
from benchmarks.turns import Turns, measure, turns_of
from benchmarks.wrk import Load, drive
from tfaas_core.tensors import Array

_MODULE = "benchmarks.pictures"
_NETWORKS = (LIGHT, SMALL, "MobileNetV2")
_CONNECTIONS = 8
_TIMES = 100
_GOAL = 0.7
_HEADER = [
    *("network", "decoding, ms", "computing, ms", "the slower, pictures/s"),
    *(
        "answered/s",
        "of the slower (goal)",
        "the server's processor time, ms",
        "of the slower",
        "of both",
    ),
]


def png_28() -> bytes:
    """A grey PNG of 28 x 28, like a handwritten digit: a stroke on nothing."""
    rows, columns = np.mgrid[:28, :28]
    distance = np.abs(np.hypot(rows - 14, columns - 14) - 8)
    return _encoded((255 * np.clip(2 - distance, 0, 1)).astype(np.uint8), "PNG")


def jpeg_640x480() -> bytes:
    """A JPEG in colour, 640 wide and 480 high: smooth, with some noise, as photographs are."""
    return _encoded(levels_640x480(), "JPEG")


def levels_640x480() -> Array:
    """uint8 [480, 640, 3]: that picture before it became a JPEG."""
    rows, columns = np.mgrid[:480, :640]
    waves = [np.sin(rows / 40 + shift) + np.cos(columns / 60 - shift) for shift in range(3)]
    noise = np.random.default_rng(1).normal(scale=6, size=(480, 640, 3))
    levels: Array = np.clip(128 + 50 * np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8)
    return levels


def _encoded(levels: Array, format_: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, format_)
    return file.getvalue()


class _Found(msgspec.Struct, frozen=True):
    """Of a round, in milliseconds for a picture: of decoding, computing and the server."""

    decoding: Cost
    computing: Cost
    served: Cost

    @property
    def slower_per_s(self) -> float:
        """What all cores could do of the slower alone."""
        each_ms = max(self.decoding.processor_ms, self.computing.processor_ms)
        return WORKERS * 1e3 / each_ms

    @property
    def answered_per_s(self) -> float:
        return 1e3 / self.served.duration_ms

    def row(self) -> list[str]:
        decoding_ms, computing_ms = self.decoding.processor_ms, self.computing.processor_ms
        slower, answered = self.slower_per_s, self.answered_per_s
        served_ms = self.served.processor_ms
        return [
            *(f"{decoding_ms:.2f}", f"{computing_ms:.2f}", f"{slower:.0f}", f"{answered:.0f}"),
            f"{answered / slower:.2f} ({_GOAL})",
            f"{served_ms:.2f}",
            f"{max(decoding_ms, computing_ms) / served_ms:.2f}",
            f"{(decoding_ms + computing_ms) / served_ms:.2f}",
        ]


def _rounds(server: Server, name: str, turns: Sequence[Turns], seconds: int, count: int) -> _Found:
    """Medians; ``turns`` are decoding, and computing in each mode, of which the better counts."""
    body = Body(f"/models/{name}/predict/image", "image/jpeg", jpeg_640x480(), 1)
    found: list[list[Cost]] = []
    for _ in range(count):
        measured = [Cost(*each.measured()) for each in turns]
        found.append([*measured, _served(server, body, seconds)])
    decoding, *computing, served = (medians(side) for side in zip(*found, strict=True))
    return _Found(decoding, min(computing, key=lambda cost: cost.processor_ms), served)


def _served(server: Server, body: Body, seconds: int) -> Cost:
    before_s = processor_s(server)
    measured = drive(server, Load([body], _CONNECTIONS), seconds)
    if measured.errors:
        raise BenchmarkFailedError(f"{measured.errors} pictures were answered by an error")
    processor_ms = (processor_s(server) - before_s) * 1e3 / measured.requests
    return Cost(processor_ms, 1e3 / measured.requests_per_s)


def _decode() -> None:
    """Measures for each line of stdin, until there are no more."""
    content = jpeg_640x480()
    measure(lambda: picture(content), _TIMES)


def main() -> None:
    """Prints a table."""
    given, report = parse(__doc__), Report()
    report.add("Machine", ["what", "value"], machine.rows())
    with TemporaryDirectory(prefix="tfaas-bench-") as folder:
        compare(report, given, Path(folder) / "pictures")
    report.add_goals()


def compare(report: Report, given: Options, folder: Path) -> None:
    """Adds the table, and the goals. ``folder`` is a new one, for scratch."""
    rows = []
    with ExitStack() as stack:
        folder.mkdir()
        write_networks(folder, _NETWORKS)
        settings = {"engine.mode": "auto", "engine.tune_s": 300}
        server = stack.enter_context(tfaas(folder / "server", settings))
        decoding = stack.enter_context(turns_of(_MODULE, "--decode"))
        for network in _NETWORKS:
            upload_network(server, network, folder / network)
            with ExitStack() as inner:
                modes = [
                    inner.enter_context(plain_tensorflow(folder / network, mode)) for mode in "01"
                ]
                turns = [decoding, *modes]
                found = _rounds(server, network, turns, given.seconds, given.rounds)
            rows.append([network, *found.row()])
            what = f"a JPEG of 640 x 480 to {network}, of the slower of decoding and computing"
            report.goal(what, found.answered_per_s / found.slower_per_s, _GOAL)
    report.add("JPEGs of 640 x 480, to 224 x 224", _HEADER, rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["--decode"]:
        _decode()
    else:
        main()
