"""What it costs to have pictures decoded in a confined process, instead of in the HTTP worker."""

from __future__ import annotations

import asyncio
import io
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image
from tfaas_plugins.codecs.image.codec import ImageCodec

from benchmarks.options import parse
from benchmarks.report import Report
from tfaas_core.config import load_config
from tfaas_core.decoding.decoder import Decoders
from tfaas_core.models.model import ModelVersion
from tfaas_core.processes.in_parent.decoder_server import DecoderServer
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.wiring.composition import Composition

_MOST_PIXELS = 50_000_000


class Case(msgspec.Struct, frozen=True):
    """A picture, as the body of a request, and the shape of the model that takes it."""

    name: str
    body: bytes
    shape: tuple[int | None, ...]
    requests: int
    params: Mapping[str, str] = {}
    """Of pictures."""

    @property
    def version(self) -> ModelVersion:
        outputs = [TensorSpec("y", "float32", (None, 3))]
        inputs = [TensorSpec("x", "float32", self.shape)]
        params = {"image": dict(self.params)}
        return model_version(inputs, outputs, batch=BatchAxis.FREE, params=params)


def cases() -> list[Case]:
    random = np.random.default_rng(0)
    tiny = random.integers(0, 255, (8, 8), dtype=np.uint8)
    y, x = np.mgrid[:480, :640]
    photo = np.stack([x * 255 // 640, y * 255 // 480, (x + y) % 255], -1).astype(np.uint8)
    photo += random.integers(0, 20, photo.shape, dtype=np.uint8)
    jpeg = _encoded(photo, "JPEG")
    return [
        Case("PNG of 8 x 8", _encoded(tiny, "PNG"), (None, 8, 8), 400),
        Case("JPEG of 640 x 480, to 224 x 224", jpeg, (None, 224, 224, 3), 20),
        Case("the same, reduced fast", jpeg, (None, 224, 224, 3), 20, {"reduce": "fast"}),
        Case("JPEG of 640 x 480, as it is", jpeg, (None, None, None, 3), 20),
    ]


def _encoded(values: NDArray[np.uint8], format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format, quality=90)
    return buffer.getvalue()


async def measured(rounds: int) -> list[list[str]]:
    """CPU time of reading and binding a request, in both processes together, in turn."""
    server = DecoderServer(Composition.of(load_config(None, (), {})))

    async def opened(work: str) -> tuple[socket.socket, int]:
        return server.open(work)

    here = ImageCodec(max_pixels=_MOST_PIXELS, max_images=1)
    there = ImageCodec(max_pixels=_MOST_PIXELS, max_images=1, most_here=0)
    decoders = Decoders(there.decoding, opened, there.decoding_shared_bytes)
    there.use(decoders)
    try:
        await _ask(there, cases()[0])
        (decoder,) = psutil.Process(server.pid).children()
        return [await _compared(case, (here, there), decoder.pid, rounds) for case in cases()]
    finally:
        decoders.close()
        server.close()


async def _ask(codec: ImageCodec, case: Case) -> None:
    """As an HTTP worker does: in a thread, if another process decodes."""
    document = codec.parse(case.body, Head.of_type("image/png"))
    if codec.is_heavy(document, case.version):
        await asyncio.to_thread(codec.bind, document, case.version)
    else:
        codec.bind(document, case.version)


async def _compared(
    case: Case, codecs: Sequence[ImageCodec], decoder: int, rounds: int
) -> list[str]:
    found: list[list[float]] = [[], []]
    for turn in range(rounds):
        for place in (0, 1) if turn % 2 else (1, 0):
            before_ns = time.process_time_ns() + _cpu_ns(decoder)
            for _ in range(case.requests):
                await _ask(codecs[place], case)
            used_ns = time.process_time_ns() + _cpu_ns(decoder) - before_ns
            found[place].append(used_ns / case.requests / 1e3)
    off, on = map(median, found)
    return [case.name, f"{off:.0f}", f"{on:.0f}", f"{on - off:+.0f}", f"{on / off - 1:+.1%}"]


def _cpu_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0])


def main() -> None:
    options = parse(__doc__)
    header = ["picture", "here, us", "in a decoder, us", "difference", "in percent"]
    rows = asyncio.run(measured(10 * options.rounds))
    Report().add("CPU time of reading and decoding a picture", header, rows)


if __name__ == "__main__":
    main()
