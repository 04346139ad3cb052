"""What a lone request costs an HTTP worker that others have kept from its core:
``python -m benchmarks.cold``.

One row of JSON, or ten, take their whole way through it, but for sockets and the model's process:
one turn of the event loop behind the other, and after the process has slept. All by the CPU time of
one thread.
"""

from __future__ import annotations

import time
from statistics import median

import uvloop

from benchmarks.bodies import as_json
from benchmarks.watching import MODEL, AtOnce, Way, model
from tfaas_core.testing.hosts import host_of

ROUNDS = 300
REST_S = 0.002
"""Long enough for other processes to have the core, and its caches."""


async def measured(rows: int, turn: int) -> tuple[float, float]:
    """The microseconds of a request of so many rows, with so many in a turn: at once, and after a
    rest."""
    async with host_of([], {MODEL: model()}, engine=AtOnce()) as host:
        way = Way(host, as_json(MODEL, rows), turn, turns=1)
        at_once = [await way.request_us() for _ in range(ROUNDS)]
        rested = []
        for _ in range(ROUNDS):
            # The event loop's thread itself: its core is to be free.
            time.sleep(REST_S)
            rested.append(await way.request_us())
    return median(at_once), median(rested)


def main() -> None:
    """Prints a line each."""
    for rows in (1, 10):
        for turn in (1, 4, 16):
            at_once_us, rested_us = uvloop.run(measured(rows, turn))
            times = f"{at_once_us:8.2f} us at once, {rested_us:8.2f} us after a rest"
            print(f"{times}: {rows} rows, {turn} requests in a turn")


if __name__ == "__main__":
    main()
