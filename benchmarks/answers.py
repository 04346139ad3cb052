"""The soak of answers: clients ask models of all kinds, and each answer is TensorFlow's own."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import orjson
import uvloop

from benchmarks import kinds
from benchmarks.network import client, upload_bundle, upload_graph
from benchmarks.saved_model import write_by
from benchmarks.servers import Server, tfaas
from benchmarks.tarball import pack

_TOLERANCE = 1e-5
"""Of the largest number of an answer: batches of other sizes are rounded otherwise."""
_TINY = float(np.finfo(np.float32).tiny)
"""Smaller numbers are zero in those of TensorFlow's threads that flush them."""
_MOST_SHOWN = 10


class Asked(msgspec.Struct):
    """A request, what must come, and the answers seen so far: the same bytes are compared once."""

    kind: str
    request: bytes
    outputs: dict[str, Any]
    seen: dict[bytes, bool]


class Tally(msgspec.Struct):
    """``wrong``: answers that are not TensorFlow's, and refusals; the first ones are ``shown``."""

    answers: int = 0
    wrong: int = 0
    shown: list[str] = []


def run(count: int, clients: int, folder: Path, networks: Path | None) -> Tally:
    """Asks ``count`` times; ``networks``: further models, see ``benchmarks.kinds``."""
    write_by(kinds.__name__, folder / "kinds", *([networks] if networks else []))
    questions = msgspec.json.decode(
        (folder / "kinds" / kinds.QUESTIONS).read_bytes(), type=dict[str, list[kinds.Question]]
    )
    with tfaas(folder / "served") as server, client(server.url) as to:
        for name in questions:
            if (folder / "kinds" / name).is_dir():
                upload_bundle(to, name, pack(folder / "kinds" / name))
            elif networks is not None:
                upload_graph(to, name, networks / f"{name}.pb")
        asked = [_asked(kind, one) for kind, of_kind in questions.items() for one in of_kind]
        tally = Tally()
        uvloop.run(_ask_all(server, asked, count, clients, tally))
    return tally


def _asked(kind: str, question: kinds.Question) -> Asked:
    body = orjson.dumps({"model": kind, **question.document})
    head = f"POST /json HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n\r\n"
    outputs = {name: np.array(values) for name, values in question.outputs.items()}
    return Asked(kind, head.encode() + body, outputs, {})


async def _ask_all(
    server: Server, asked: list[Asked], count: int, clients: int, tally: Tally
) -> None:
    url = httpx.URL(server.url)
    draw = random.Random(1)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            share = count // clients
            group.create_task(_ask(url.host, url.port or 80, asked, share, draw, tally))


async def _ask(
    host: str, port: int, asked: list[Asked], count: int, draw: random.Random, tally: Tally
) -> None:
    # So that a few large ones do not take most of the time.
    weights = list(accumulate(1 / len(one.request) for one in asked))
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(count):
        (one,) = draw.choices(asked, cum_weights=weights)
        writer.write(one.request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        tally.answers += 1
        if answer not in one.seen:
            one.seen[answer] = b" 200 " in head and _is_right(answer, one)
        if not one.seen[answer]:
            tally.wrong += 1
            if len(tally.shown) < _MOST_SHOWN:
                tally.shown.append(f"{one.kind}: {one.request[-200:]!r} -> {answer[:200]!r}")
    writer.close()


def _is_right(answer: bytes, one: Asked) -> bool:
    got = orjson.loads(answer)
    if not isinstance(got, dict):
        got = {next(iter(one.outputs)): got}
    return got.keys() == one.outputs.keys() and all(
        _is_same(got[name], expected) for name, expected in one.outputs.items()
    )


def _is_same(got: Any, expected: Any) -> bool:
    numbers = np.array(got, float).ravel()
    if numbers.shape != expected.shape:
        return False
    largest = np.abs(expected).max(initial=0.0)
    return bool(np.all(np.abs(numbers - expected) <= max(_TOLERANCE * largest, _TINY)))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--answers", type=int, default=1_000_000)
    options.add_argument("--clients", type=int, default=64)
    options.add_argument("--networks", type=Path, help="a folder of NAME.pb with NAME.npz")
    chosen = options.parse_args()
    start_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tfaas-answers-") as folder:
        tally = run(chosen.answers, chosen.clients, Path(folder), chosen.networks)
    print(f"{tally.answers} answers in {time.monotonic() - start_s:.0f} s, {tally.wrong} wrong")
    for line in tally.shown:
        print(line)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
