"""Crowd: hosts that load what they are asked for, and models that many ask for, simulated."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from tfaas_core.engine.in_front.placement import chosen
from tfaas_core.engine.in_front.spread import Spread, SpreadSettings


class Rules(msgspec.Struct, frozen=True):
    """``room``: models that a host has at once. ``passes``: whether it passes further ones on,
    rather than unload one that was asked for in the last calm of ``spread``.

    ``speed``: requests for one model that a host answers from one look to the next.
    """

    room: int
    spread: SpreadSettings
    speed: int
    passes: bool = True


class Seen(msgspec.Struct):
    """``asked``: requests of each host. Of each look: ``loads``, and ``waiting`` requests after it.

    ``replicas``: the models on several hosts at last. ``elsewhere``: how many are not on their
    first host then.
    """

    asked: list[int]
    loads: list[int] = []
    waiting: list[int] = []
    replicas: dict[str, int] = {}
    elsewhere: int = 0


class _Host:
    def __init__(self, room: int) -> None:
        self._room = room
        self._used: OrderedDict[int, int] = OrderedDict()
        self._passed_on: set[int] = set()

    def __contains__(self, model: int) -> bool:
        return model in self._used

    def has_room(self, model: int, since: int) -> bool:
        if model in self._used:
            return True
        is_free = len(self._used) < self._room or next(iter(self._used.values())) < since
        if model in self._passed_on or not is_free:
            self._passed_on.add(model)
            return False
        return True

    def ask(self, model: int, look: int) -> bool:
        """Whether it has to load it. It unloads what was not asked for the longest."""
        is_new = model not in self._used
        self._used[model] = look
        self._used.move_to_end(model)
        if len(self._used) > self._room:
            self._used.popitem(last=False)
        self._passed_on.discard(model)
        return is_new


class Crowd:
    """``orders``: the hosts of each model, in its order. ``anywhere``: any host gets a request."""

    def __init__(
        self, hosts: int, orders: Sequence[Sequence[int]], rules: Rules, anywhere: bool = False
    ) -> None:
        self._hosts = [_Host(rules.room) for _host in range(hosts)]
        self._orders, self._rules, self._anywhere = orders, rules, anywhere
        self._homes: dict[int, list[int]] = {}
        self._spread = Spread(rules.spread)
        self._waiting = Counter[int]()
        self._turns = itertools.count()
        self._look = 0
        self.seen = Seen([0] * hosts)

    def ask(self, requests: Sequence[int]) -> None:
        """What comes from one look to the next."""
        loads = 0
        for model in requests:
            place = self._place(model)
            self.seen.asked[place] += 1
            loads += self._hosts[place].ask(model, self._look)
        self._waiting.update(requests)
        for model, waiting in list(self._waiting.items()):
            answered = self._rules.speed * len(self._homes.get(model, [0]))
            self._waiting[model] = max(0, waiting - answered)
        self._waiting = +self._waiting
        self.seen.loads.append(loads)
        self.seen.waiting.append(self._waiting.total())
        self._look += 1
        self._spread_out()

    def _place(self, model: int) -> int:
        turn = next(self._turns)
        if self._anywhere:  # spread well, and always the same
            return turn * 2_654_435_761 % 2**32 * len(self._hosts) >> 32
        homes = self._homes.get(model)
        if homes is None or model not in self._hosts[homes[0]]:
            homes = self._homes[model] = self._belongs(model, 1)
        return homes[turn % len(homes)]

    def _belongs(self, model: int, replicas: int) -> list[int]:
        since = self._look - int(self._rules.spread.calm_s)

        def is_full(place: int) -> bool:
            return self._rules.passes and not self._hosts[place].has_room(model, since)

        return chosen(self._orders[model], replicas, lambda _place: True, is_full)

    def _spread_out(self) -> None:
        rows = {str(model): rows for model, rows in self._waiting.items()}
        before, self.seen.replicas = self.seen.replicas, self._spread.look(rows, self._look)
        for name, _count in before.items() ^ self.seen.replicas.items():
            model = int(name)
            homes = self._homes[model] = self._belongs(model, self.seen.replicas.get(name, 1))
            self.seen.loads[-1] += sum(self._hosts[each].ask(model, self._look) for each in homes)
        firsts = [(self._orders[model][0], homes[0]) for model, homes in self._homes.items()]
        self.seen.elsewhere = sum(first != home for first, home in firsts)
