"""Real networks, where they are at hand: what a server with all of them loaded takes.

``../shared/data/models`` beside the project holds ``NAME.pb`` and, in ``NAME.npz``, two rows for
each input, ``in:NODE``. They are not part of the project.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from httpx import Client

from benchmarks.memory import NOTHING, Footprint, footprints, kinds
from benchmarks.network import client, upload_graph
from benchmarks.servers import ROOT, BenchmarkFailedError, tfaas

HEADER = ["processes", "how many", "private MB", "with their share of what is shared, MB"]
_MODELS = ROOT.parent / "shared" / "data" / "models"
_INPUT = "in:"


def files() -> list[Path]:
    """The frozen graphs; none where they are not at hand."""
    return sorted(_MODELS.glob("*.pb"))


def measure(storage: Path) -> list[list[str]]:
    """The cells below HEADER: each kind of process, and all together.

    Every network has been loaded and has answered.
    """
    with tfaas(storage) as server:
        with client(server.url) as to:
            for file in files():
                upload_graph(to, file.stem, file)
                _ask(to, file)
        sizes, known = footprints(server), kinds(server)
    by_kind: dict[str, list[Footprint]] = {}
    for pid, size in sizes.items():
        by_kind.setdefault(known.get(pid, "other"), []).append(size)
    if len(by_kind.get("model", ())) != len(files()):
        raise BenchmarkFailedError(f"of {len(files())} networks not all are loaded")
    by_kind = {**dict(sorted(by_kind.items())), "all": list(sizes.values())}
    return [_cells(kind, some) for kind, some in by_kind.items()]


def _ask(to: Client, file: Path) -> None:
    with np.load(file.with_suffix(".npz")) as arrays:
        inputs = {
            key.removeprefix(_INPUT): arrays[key].tolist()
            for key in arrays
            if key.startswith(_INPUT)
        }
    values: dict[str, Any] = {"inputs": inputs}
    if len(inputs) == 1:
        values = {"values": next(iter(inputs.values()))}
    content = msgspec.json.encode({"model": file.stem, **values})
    answer = to.post("/json", content=content)
    if answer.status_code != 200:
        raise BenchmarkFailedError(f"{file.stem} answers {answer.status_code}: {answer.text}")


def _cells(kind: str, some: list[Footprint]) -> list[str]:
    total = sum(some, NOTHING)
    return [
        kind,
        str(len(some)),
        f"{total.private / 1e6:.0f}",
        f"{total.proportional / 1e6:.0f}",
    ]
