"""Where models go on many hosts, simulated: ``python -m benchmarks.placement``.

The placement is the code that HTTP workers use; hosts, models, and requests by Zipf's law are made
up. No model is run, and no time of a real load is claimed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from benchmarks.report import Report
from tfaas_core.engine.in_front.placement import Placement

_HEADER_LOADS = ["models are placed", "loads per 1,000 requests", "later", "busiest host, of mean"]
_HEADER_MOVES = ["what happens", "models that move", "share", "least possible", "of others' hosts"]
_HEADER_TIME = ["hosts", "µs to order them for a model"]
_ROUNDS, _ROUND = 15, 20
_LOOKED_AT = 10_000
"""Of the models, for what moves: to order a thousand hosts takes half a millisecond."""


class _Scene(msgspec.Struct, frozen=True):
    """``requests``: which model each one is for, by Zipf's law: the n-th is asked for 1/n as often
    as the first. ``room``: models that a host has loaded at once."""

    hosts: Sequence[str]
    models: Sequence[str]
    requests: Sequence[int]
    room: int


class _Host:
    """Loads what it is asked for, and unloads what was not asked for the longest."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._loaded: OrderedDict[int, None] = OrderedDict()
        self.asked = 0

    def ask(self, model: int) -> bool:
        """Whether it has to load it."""
        self.asked += 1
        if model in self._loaded:
            self._loaded.move_to_end(model)
            return False
        self._loaded[model] = None
        if len(self._loaded) > self._room:
            self._loaded.popitem(last=False)
        return True


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--models", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--room", type=int, default=128, help="engine.max_loaded_models")
    given, report = parser.parse_args(), Report()
    scene = _scene(given.hosts, given.models, given.requests, given.room)
    placement = Placement(scene.hosts)
    homes = [placement.order(name)[0] for name in scene.models]
    _loads(report, scene, homes)
    _moves(report, scene, homes)
    _times(report, scene)
    return 0


def _scene(hosts: int, models: int, requests: int, room: int) -> _Scene:
    draw = random.Random(1)
    weights = list(accumulate(1 / rank for rank in range(1, models + 1)))
    asked = draw.choices(range(models), cum_weights=weights, k=requests)
    addresses = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}:8090" for n in range(hosts)]
    return _Scene(addresses, [f"model-{n}" for n in range(models)], asked, room)


def _loads(report: Report, scene: _Scene, homes: Sequence[int]) -> None:
    draw = random.Random(2)
    count = len(scene.hosts)
    anywhere = [draw.randrange(count) for _request in scene.requests]
    placed = [homes[model] for model in scene.requests]
    rows = [
        ["by name, as here", *_loaded(scene, placed)],
        ["on any host, as a balancer would", *_loaded(scene, anywhere)],
    ]
    title = f"{count:,} hosts, {len(scene.models):,} models, {len(scene.requests):,} requests"
    note = f"*Later*: in the second half of the requests. A host has {scene.room} models at once."
    report.add(title, _HEADER_LOADS, rows, note)


def _loaded(scene: _Scene, places: Sequence[int]) -> list[str]:
    hosts = [_Host(scene.room) for _host in scene.hosts]
    half, loads = len(places) // 2, [0, 0]
    for number, (place, model) in enumerate(zip(places, scene.requests, strict=True)):
        loads[number >= half] += hosts[place].ask(model)
    busiest = max(host.asked for host in hosts) * len(hosts) / len(places)
    all_of_them, later = sum(loads) / len(places), loads[1] / (len(places) - half)
    return [f"{all_of_them * 1000:.1f}", f"{later * 1000:.1f}", f"{busiest:.1f}"]


def _moves(report: Report, scene: _Scene, homes: Sequence[int]) -> None:
    names = scene.models[:_LOOKED_AT]
    now = [scene.hosts[home] for home in homes[: len(names)]]
    gone, new = scene.hosts[len(scene.hosts) // 2], "10.9.9.9:8090"
    changes = {
        "a host goes": [host for host in scene.hosts if host != gone],
        "a host joins": [*scene.hosts, new],
        "ten hosts go": scene.hosts[10:],
        "the list is in another order": scene.hosts[::-1],
    }
    rows = []
    for what, hosts in changes.items():
        placement = Placement(hosts)
        then = [hosts[placement.order(name)[0]] for name in names]
        moved = [pair for pair in zip(now, then, strict=True) if pair[0] != pair[1]]
        changed = {*scene.hosts} ^ {*hosts}
        needless = sum(not changed.intersection(pair) for pair in moved)
        least = sum(changed.intersection(pair) != set() for pair in zip(now, then, strict=True))
        share = f"{100 * len(moved) / len(now):.2f} %"
        rows.append([what, str(len(moved)), share, str(least), str(needless)])
    report.add(f"Models that move, of {len(names):,}", _HEADER_MOVES, rows)


def _times(report: Report, scene: _Scene) -> None:
    """No server asks another: all have converged once each has ordered the hosts of its models."""
    rows = []
    for count in (10, 100, len(scene.hosts)):
        placement = Placement(scene.hosts[:count])
        took_s = []
        for number in range(_ROUNDS):
            begin_s = time.thread_time()
            for name in scene.models[number * _ROUND : (number + 1) * _ROUND]:
                placement.order(name)
            took_s.append((time.thread_time() - begin_s) / _ROUND)
        rows.append([str(count), f"{min(took_s) * 1e6:.0f}"])
    note = f"CPU time, the least of {_ROUNDS} rounds of {_ROUND} models."
    report.add("Until all servers agree", _HEADER_TIME, rows, note)


if __name__ == "__main__":
    sys.exit(main())
