"""Live seats: of all that a pool has, those where new requests for stored versions go."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.engine.in_parent.seat import Seat


class LiveSeats:
    """At most one seat for a version is *live*: where those are sent who ask for the version.

    Further seats may stand beside it. If the live one goes, one of them is live from then on, one
    that is still being loaded if no other is left.
    ``seats`` are all that there are, by their tickets.
    """

    def __init__(self, seats: Mapping[int, Seat]) -> None:
        self._seats = seats
        self._live: dict[str, Seat] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._live

    def get(self, key: str) -> Seat | None:
        """The live seat for a stored version."""
        return self._live.get(key)

    def all(self) -> list[Seat]:
        """The live seats of all versions."""
        return list(self._live.values())

    def add(self, seat: Seat) -> None:
        """It is live from now on."""
        self._live[seat.candidate.key] = seat

    def instances(self, key: str) -> list[Seat]:
        """All seats for a version that are neither leaving nor lost, the live one first."""
        own = [seat for seat in self._staying() if seat.candidate.key == key]
        return sorted(own, key=self._is_beside)

    def remove(self, seat: Seat) -> None:
        """It is not live any more, if it was."""
        key = seat.candidate.key
        if self._live.get(key) is not seat:
            return
        del self._live[key]
        others = [other for other in self.instances(key) if other is not seat]
        usable = [other for other in others if other.is_ready or not other.loaded.done()]
        if usable:
            self._live[key] = min(usable, key=lambda other: not other.is_ready)

    def beyond(self, most: int, newcomer: Seat) -> list[Seat]:
        """What has to go so that ``most`` stay."""
        return self.movable(newcomer)[: max(0, -self.room(most))]

    def cold(self, since_s: float) -> list[Seat]:
        """What may go that was not used since then, and further seats."""
        return [s for s in self.movable(None) if self._is_beside(s) or s.used_s < since_s]

    def movable(self, newcomer: Seat | None) -> list[Seat]:
        """What may go, the first one first: further seats, also the ``newcomer`` and those that
        are still being loaded, and then the seats that were used least recently."""
        movable = [
            seat
            for seat in self._staying()
            if self._is_beside(seat)
            or (seat is not newcomer and seat.owner is None and seat.loaded.done())
        ]
        return sorted(movable, key=lambda seat: (not self._is_beside(seat), seat.used_s))

    def room(self, most: int) -> int:
        """How many may be added to those that are there before there are more than ``most``."""
        return most - len(self._staying())

    def _staying(self) -> list[Seat]:
        return [seat for seat in self._seats.values() if not (seat.leaving or seat.is_lost)]

    def _is_beside(self, seat: Seat) -> bool:
        """Whether another seat is live for its version."""
        return self._live.get(seat.candidate.key, seat) is not seat
