"""FarUse: what HTTP workers of other machines use of a pool, and what it has room for."""

from __future__ import annotations

import time

from tfaas_core.engine.in_parent.seats import Seats

_MOST_PASSED_ON = 10_000


class FarUse:
    """``most``: models that may be loaded. A model that is passed on stays so: all workers that ask
    are to find it on the same host. All methods belong to the event loop's thread.
    """

    def __init__(self, seats: Seats, most: int) -> None:
        self._seats, self._most = seats, most
        self._passed_on: dict[str, None] = {}

    def users(self, key: str) -> set[int]:
        """The workers of other machines that were connected to what is loaded of a version."""
        return set().union(*[seat.far_users for seat in self._seats.live.instances(key)])

    def let_go(self, worker: int, key: str) -> None:
        """It uses the version no more; that is unloaded, if it was the last one."""
        seats = self._seats.live.instances(key)
        for seat in seats:
            seat.far_users.discard(worker)
        if not any(seat.far_users or seat.waiting for seat in seats):
            for seat in seats:
                self._seats.leave(seat)

    def has_room(self, name: str, key: str, size_bytes: int, calm_s: float) -> bool:
        """Whether the model may be loaded here: if a version of it is, or if there is room for it
        beside all that was used within ``calm_s``.

        ``key`` and ``size_bytes`` are the version's; empty, and 0, of an upload. From a no on, it
        is no, until the model is loaded here all the same: see ``takes``.
        """
        if any(seat.candidate.name == name and not seat.leaving for seat in self._seats):
            return True
        live, memory = self._seats.live, self._seats.memory
        cold = live.cold(time.monotonic() - calm_s)
        is_free = live.room(self._most) + len(cold) > 0 and memory.fits(key, size_bytes, cold)
        if is_free and name not in self._passed_on:
            return True
        self._passed_on[name] = None
        if len(self._passed_on) > _MOST_PASSED_ON:
            del self._passed_on[next(iter(self._passed_on))]
        return False

    def takes(self, name: str) -> None:
        """The model is to be loaded here, whether there is room or not."""
        self._passed_on.pop(name, None)
