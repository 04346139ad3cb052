"""The soak: full load while models come, are replaced and go; whether memory stays flat."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec
from httpx import Client, HTTPError

from benchmarks.bodies import as_json
from benchmarks.memory import NOTHING, Footprint, footprints
from benchmarks.network import NAME, client, predict, remove, upload, upload_bundle
from benchmarks.servers import BenchmarkFailedError, Server, tfaas
from benchmarks.watch import repeated
from benchmarks.wrk import Load, Round, drive_during

HEADER = ["what", "first third", "last third", "growth", "growth %"]
CONNECTIONS = 128
_SAMPLE_S = 0.5
_BEAT_S = 2.0
_REPLACE_EVERY = 5
_GUEST = "soak-guest"


class Sample(msgspec.Struct, frozen=True):
    """All processes of the server together, ``at_s`` seconds from the start."""

    at_s: float
    size: Footprint


class Soak(msgspec.Struct, frozen=True):
    """``errors``: of predictions, uploads and deletions. ``beats``: uploads of the guest model."""

    samples: list[Sample]
    beats: int
    load: Round
    errors: int

    def rows(self) -> list[list[str]]:
        """The cells below HEADER: medians of the thirds, in MB."""
        private = [one.size.private for one in self.samples]
        proportional = [one.size.proportional for one in self.samples]
        own = [one.size.own for one in self.samples]
        return [
            _cells("private memory, MB", private),
            _cells("with its share of what is shared, MB", proportional),
            _cells("the same but for pages of files, MB", own),
        ]

    def load_rows(self) -> list[list[str]]:
        """What and how much of it."""
        return [
            ["seconds", f"{self.load.duration_us / 1e6:.0f}"],
            ["requests/s", f"{self.load.requests_per_s:.0f}"],
            ["p99", f"{self.load.p99_us / 1000:.1f} ms"],
            ["uploads of a guest, each deleted or replaced", str(self.beats)],
            ["errors", str(self.errors)],
        ]


def measure(storage: Path, seconds: int, bundle: Path) -> Soak:
    """Loads one model at full speed for so long.

    Every two seconds a guest is uploaded, as a frozen graph and as a SavedModel in turn, is asked,
    and every second time deleted, so that it is replaced once before it goes. Every tenth second
    the model under load is itself replaced by a new version.
    """
    with tfaas(storage) as server, client(server.url) as to:
        upload(to, NAME)
        # Once before, so that what a first time takes is not growth.
        _beat(to, 0, bundle)
        _beat(to, 1, bundle)
        errors = 0
        beats = 0

        def live() -> None:
            nonlocal errors, beats
            end_s = time.monotonic() + seconds
            while (start_s := time.monotonic()) < end_s:
                errors += _failed(to, beats, bundle)
                beats += 1
                time.sleep(max(0.0, start_s + _BEAT_S - time.monotonic()))

        with _sampling(server) as samples:
            load = drive_during(server, Load([as_json(NAME, 1)], CONNECTIONS), live)
    return Soak(samples, beats, load, errors + load.errors)


def _failed(to: Client, beat: int, bundle: Path) -> int:
    try:
        _beat(to, beat, bundle)
    except (BenchmarkFailedError, HTTPError) as error:
        print(f"soak: {error}", flush=True)
        return 1
    return 0


def _beat(to: Client, beat: int, bundle: Path) -> None:
    if beat % 2 == 0:
        upload(to, _GUEST)
    else:
        upload_bundle(to, _GUEST, bundle)
    predict(to, _GUEST)
    if beat % 2 == 1:
        remove(to, _GUEST)
    if beat % _REPLACE_EVERY == _REPLACE_EVERY - 1:
        upload(to, NAME)


@contextmanager
def _sampling(server: Server) -> Iterator[list[Sample]]:
    samples: list[Sample] = []
    start_s = time.monotonic()

    def sample() -> None:
        size = sum(footprints(server).values(), NOTHING)
        samples.append(Sample(time.monotonic() - start_s, size))

    with repeated(sample, _SAMPLE_S):
        yield samples


def _cells(what: str, sizes: list[int]) -> list[str]:
    third = max(1, len(sizes) // 3)
    first, last = median(sizes[:third]), median(sizes[-third:])
    figures = [f"{size / 1e6:.1f}" for size in (first, last, last - first)]
    return [what, *figures, f"{(last - first) / first:+.1%}"]
