"""Where models go on many hosts, simulated: ``python -m benchmarks.placement``.

Which hosts a model belongs to, and how many of them, is decided by the code that servers use;
hosts, models, and requests by Zipf's law are made up. No model is run, and no time of a real load
is claimed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

import msgspec

from benchmarks.crowd import Crowd, Rules, Seen
from benchmarks.report import Report
from tfaas_core.engine.in_front.placement import MOST_FULL, Placement, chosen
from tfaas_core.engine.in_front.spread import SpreadSettings

_HEADER_LOADS = ["models are placed", "loads per 1,000 requests", "later", "busiest host, of mean"]
_HEADER_SPREAD = ["hosts of a model, at most", "hosts of the first", "models on several"]
_HEADER_SPREAD += ["most that wait", "after look", "later, on average", "busiest host, of mean"]
_HEADER_ROOM = ["models at once", "a full host", "loads per 1,000 requests, later"]
_HEADER_ROOM += ["models on other hosts"]
_HEADER_MOVES = ["what happens", "hosts of a model", "models that move", "share"]
_HEADER_MOVES += ["least possible", "between others"]
_HEADER_TIME = ["hosts", "µs to order them for a model"]
_ROUNDS, _ROUND = 15, 20
_LOOKS, _CALM_LOOKS = 200, 60
"""How often somebody looks at what waits, while all requests come; and how many are a calm."""
_MOST_NEEDED = 10
"""So many hosts can just answer what the first model is asked."""
_LOOKED_AT = 10_000
"""Of the models, for what moves: to order a thousand hosts takes half a millisecond."""


class _Scene(msgspec.Struct, frozen=True):
    """``requests``: which model each one is for, by Zipf's law: the n-th is asked for 1/n as often
    as the first. ``orders``: the first hosts in the order of each model. ``room``: models that a
    host has loaded at once."""

    hosts: Sequence[str]
    models: Sequence[str]
    requests: Sequence[int]
    orders: Sequence[Sequence[int]]
    room: int

    def seen(
        self, most: int = 1, room: int = 0, passes: bool = True, anywhere: bool = False
    ) -> Seen:
        """What becomes of the requests; ``most``: hosts of a model."""
        a_look = len(self.requests) // _LOOKS
        speed = Counter(self.requests)[0] // _LOOKS // _MOST_NEEDED
        spread = SpreadSettings(most, rows=64, calm_s=_CALM_LOOKS)
        rules = Rules(room or self.room, spread, max(1, speed), passes)
        crowd = Crowd(len(self.hosts), self.orders, rules, anywhere)
        for begin in range(0, len(self.requests), a_look):
            crowd.ask(self.requests[begin : begin + a_look])
        return crowd.seen


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--models", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--room", type=int, default=128, help="engine.max_loaded_models")
    given, report = parser.parse_args(), Report()
    scene = _scene(given.hosts, given.models, given.requests, given.room)
    _loads(report, scene)
    _spread(report, scene)
    _room(report, scene)
    _moves(report, scene)
    _times(report, scene)
    return 0


def _scene(hosts: int, models: int, requests: int, room: int) -> _Scene:
    draw = random.Random(1)
    weights = list(accumulate(1 / rank for rank in range(1, models + 1)))
    asked = draw.choices(range(models), cum_weights=weights, k=requests)
    addresses = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}:8090" for n in range(hosts)]
    names, order = [f"model-{n}" for n in range(models)], Placement(addresses).order
    return _Scene(addresses, names, asked, [order(name)[: 2 * MOST_FULL] for name in names], room)


def _loads(report: Report, scene: _Scene) -> None:
    rows = [
        ["by name, as here", *_loaded(scene.seen())],
        ["on any host, as a balancer would", *_loaded(scene.seen(anywhere=True))],
    ]
    hosts, models, requests = map(len, (scene.hosts, scene.models, scene.requests))
    title = f"{hosts:,} hosts, {models:,} models, {requests:,} requests"
    note = f"*Later*: in the second half of the requests. A host has {scene.room} models at once."
    report.add(title, _HEADER_LOADS, rows, note)


def _loaded(seen: Seen) -> list[str]:
    requests, half = sum(seen.asked), len(seen.loads) // 2
    later = 2 * sum(seen.loads[half:]) / requests
    return [f"{sum(seen.loads) / requests * 1000:.1f}", f"{later * 1000:.1f}", _busiest(seen)]


def _busiest(seen: Seen) -> str:
    return f"{max(seen.asked) * len(seen.asked) / sum(seen.asked):.1f}"


def _spread(report: Report, scene: _Scene) -> None:
    rows = []
    for most in (1, 4, 16):
        seen = scene.seen(most)
        has, several = seen.replicas.get("0", 1), len(seen.replicas)
        peak, later = max(seen.waiting), seen.waiting[_LOOKS // 2 :]
        at, mean = seen.waiting.index(peak) + 1, sum(later) // len(later)
        rows.append([*map(str, (most, has, several, peak, at, mean)), _busiest(seen)])
    note = (
        f"{_LOOKS} looks, of which {_CALM_LOOKS} are a calm. A host answers a {_MOST_NEEDED}th of "
        "what the first model is asked. *Later*: in the second half of the looks."
    )
    report.add("Models that more ask for than a host can answer", _HEADER_SPREAD, rows, note)


def _room(report: Report, scene: _Scene) -> None:
    rows = []
    for room in (scene.room, scene.room * 3 // 4, scene.room // 2):
        for passes in (False, True):
            seen = scene.seen(room=room, passes=passes)
            does = "passes models on" if passes else "unloads what is used"
            rows.append([str(room), does, _loaded(seen)[1], str(seen.elsewhere)])
    report.add("Hosts that have too little room", _HEADER_ROOM, rows)


def _moves(report: Report, scene: _Scene) -> None:
    gone, new = scene.hosts[len(scene.hosts) // 2], "10.9.9.9:8090"
    changes = {
        "a host goes": [host for host in scene.hosts if host != gone],
        "a host joins": [*scene.hosts, new],
        "ten hosts go": scene.hosts[10:],
        "the list is in another order": scene.hosts[::-1],
    }
    names = scene.models[:_LOOKED_AT]
    now = [_first(scene.hosts, order) for order in scene.orders[: len(names)]]
    rows = []
    for what, hosts in changes.items():
        order = Placement(hosts).order
        then = [_first(hosts, order(name)) for name in names]
        rows += [[what, str(n), *_moved(now, then, n, {*scene.hosts} ^ {*hosts})] for n in (1, 4)]
    report.add(f"Models that move, of {len(names):,}", _HEADER_MOVES, rows)


def _first(hosts: Sequence[str], order: Sequence[int]) -> list[str]:
    places = chosen(order, 4, lambda _place: True, lambda _place: False)
    return [hosts[place] for place in places]


def _moved(
    now: Sequence[Sequence[str]], then: Sequence[Sequence[str]], replicas: int, changed: set[str]
) -> list[str]:
    """``changed``: the hosts that have come or gone; to others, models that stay need not move."""
    pairs = [({*a[:replicas]}, {*b[:replicas]}) for a, b in zip(now, then, strict=True)]
    moved = [(a, b) for a, b in pairs if a != b]
    least = sum(bool((a | b) & changed) for a, b in pairs)
    needless = sum(bool(a - b - changed) and bool(b - a - changed) for a, b in moved)
    share = f"{100 * len(moved) / len(now):.2f} %"
    return [str(len(moved)), share, str(least), str(needless)]


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
