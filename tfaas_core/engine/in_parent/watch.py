"""Watch: notices servables that do not get on, and ends their processes."""

from __future__ import annotations

import logging
import time

from tfaas_core.engine.in_parent.seat import Seat
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.shared.messages import Turn
from tfaas_core.system.lives.stopped import LOOK_EVERY_S

WARM_UP_LIMIT_S = 10.0
"""For one run of made-up values: they may be such that the model computes for ever."""

DEATH_LIMIT_S = 2.0
"""For the end of a process that was killed."""

INTERVAL_S = 0.25
"""Between two looks."""

_LOOKS_A_STATE = round(LOOK_EVERY_S / INTERVAL_S)

_log = logging.getLogger("tfaas.engine")


class Watch:
    """Looks at seats every now and then; it sees their meters, and asks the silent for a sign.

    A process is ended if somebody has stopped it; if a run is beyond every deadline; if requests
    wait and the servable does nothing about it for as long, because it gets no core, say; and if a
    run of made-up values takes too long.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self._run_limit_s = settings.run_limit_s
        self._one_process = settings.one_process

    def look_at(self, seat: Seat) -> None:
        """Ends the seat's process if it has to be."""
        if seat.process is None or seat.stuck:
            return
        if self._is_stopped(seat):
            self._end(seat, "is stopped")
        elif not seat.loaded.done():
            self._look_at_warm_up(seat)
        elif _lasts_longer(seat, self._run_limit_s):
            self._end(seat, "is stuck in a run")
        elif not self._turns(seat):
            self._end(seat, "does not take its requests")

    def outlives_its_end(self, seat: Seat) -> bool:
        """Whether its process was ended a while ago, and is there all the same. Said once."""
        seat.stuck_looks += seat.stuck
        return seat.stuck_looks == round(DEATH_LIMIT_S / INTERVAL_S)

    def _is_stopped(self, seat: Seat) -> bool:
        process = seat.process
        seat.looks += 1
        if seat.looks % _LOOKS_A_STATE or seat.pid is None or process is None:
            return False
        return process.can_be_killed and seat.stopped.for_long(seat.pid)

    def _look_at_warm_up(self, seat: Seat) -> None:
        process = seat.process
        if process is None or not process.can_be_killed or not _lasts_longer(seat, WARM_UP_LIMIT_S):
            return
        if not seat.giving_up:
            _log.warning(
                "%s: made-up values run longer than %g s: it is loaded again without them",
                seat.blamed,
                WARM_UP_LIMIT_S,
            )
            seat.giving_up = True
            process.kill()

    def _turns(self, seat: Seat) -> bool:
        """Whether the servable's loop has turned of late, or nobody needs it to."""
        turns = seat.meter.turn_count()
        # With one process, one that loads for long cannot let another leave meanwhile.
        is_needed = seat.meter.rows() or (seat.leaving and not self._one_process)
        if turns != seat.turns or not is_needed:
            seat.turns, seat.silent_looks = turns, 0
            return True
        if seat.process is not None:
            # Requests that are counted may not have been sent: their HTTP worker may be stuck.
            seat.process.link.send(Turn(seat.ticket))
        # Counted rather than timed: if all of the server was stopped, nobody is to blame.
        seat.silent_looks += 1
        return seat.silent_looks * INTERVAL_S < self._run_limit_s

    def _end(self, seat: Seat, why: str) -> None:
        seat.stuck = True
        _log.warning("%s %s: replacing its process", seat.blamed, why)
        if seat.process is not None:
            seat.process.kill()


def _lasts_longer(seat: Seat, limit_s: float) -> bool:
    return 0 < seat.meter.running_since_ns() < time.monotonic_ns() - int(limit_s * 1e9)
