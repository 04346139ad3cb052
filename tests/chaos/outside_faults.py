"""Faults of what is around the server: its clients, disk, clock and database."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing, suppress
from functools import partial
from itertools import count

import psutil

from tests.chaos.clients import artifact_of
from tests.chaos.disk import fill
from tests.chaos.fault import AWAY_LIMIT_S, LOST, Fault, Lift
from tests.chaos.target import PASSING_TOKEN, Target

_HOUR_S = 3600
_JUMPS_S = (2 * _HOUR_S, -2 * _HOUR_S, 400 * 24 * _HOUR_S, -20 * 365 * 24 * _HOUR_S)

_FILLING_BYTES = 1_000_000
_MOST_FREED = 40
"""So many of these, others free at most."""

_numbers = count()


def _cut_uploads(reset: bool, target: Target, pick: float) -> Lift:
    """Several, at different places; none of them may be seen ever again."""
    name = f"cut-{next(_numbers)}"
    for share in (0.0, pick / 2, pick, 1.0):
        target.caller().cut_upload(name, artifact_of(1, 300_000), share, reset)

    def look() -> None:
        answer = target.caller().ask("GET", f"/models/{name}")
        assert answer.outcome == "404", f"half an upload of {name} is {answer.outcome}"

    return look


def _fill_disk(target: Target, _pick: float) -> Lift:
    filler = fill(target.disk)
    return filler.unlink


def _full_is_said(target: Target) -> str:
    """An upload that has no room is a 507; what is loaded answers."""
    for number in range(_MOST_FREED):
        answer = target.caller().upload(f"too-much-{number}", artifact_of(1, _FILLING_BYTES))
        if answer.outcome != "200":
            break
        # Others had just freed so much: what was half-sent, say, or pages of the database.
        fill(target.disk)
    if answer.outcome not in ("507", "503"):
        return f"on a full disk, an upload was {answer.outcome}: {answer.body[:200]!r}"
    answer = target.caller().predict("steady", [1, 2, 3])
    return "" if answer.outcome == "200" else f"on a full disk, a prediction was {answer.outcome}"


def _jump(target: Target, pick: float) -> Lift:
    assert target.clock is not None
    target.clock.set(_JUMPS_S[int(pick * len(_JUMPS_S)) % len(_JUMPS_S)])
    return partial(target.clock.set, 0)


def _passing(target: Target) -> str:
    return target.caller(token=PASSING_TOKEN).predict("steady", [1, 2, 3]).outcome


def _expiry_is_heeded(target: Target) -> str:
    """By the wall clock, a token has expired or not."""
    assert target.clock is not None
    expected = "401" if target.clock.wrong_s > 0 else "200"
    outcome = _passing(target)
    if outcome != expected:
        wrong_s = target.clock.wrong_s
        return f"with a clock {wrong_s} s wrong, a token of an hour was {outcome}, not {expected}"
    return ""


def _no_clock(target: Target) -> str:
    return target.why_no_clock


def _no_disk(target: Target) -> str:
    return target.why_no_disk


def _stop_database(how: signal.Signals, target: Target, _pick: float) -> Lift:
    assert target.postgresql is not None
    target.postgresql.stop(how)
    return target.postgresql.start


def _pause_database(target: Target, _pick: float) -> Lift:
    assert target.postgresql is not None
    processes = target.postgresql.processes()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()

    def resume() -> None:
        for process in processes:
            # One that serves a connection may end as soon as others go on.
            with suppress(psutil.NoSuchProcess):
                process.resume()

    return resume


def _lock_database(target: Target, _pick: float) -> Lift:
    """Somebody else writes to SQLite's file, and takes long."""
    connection = sqlite3.connect(target.models, isolation_level=None, timeout=30)
    connection.execute("BEGIN IMMEDIATE")

    def end() -> None:
        with closing(connection):
            connection.execute("ROLLBACK")

    return end


def _take_away(target: Target, _pick: float) -> Lift:
    """The folder, or SQLite's file, as if somebody had moved it."""
    aside = target.models.with_name("aside")
    target.models.rename(aside)

    def bring_back() -> None:
        aside.rename(target.models)

    return bring_back


def _unless(*storages: str) -> partial[str]:
    return partial(_why_not_here, storages)


def _why_not_here(storages: tuple[str, ...], target: Target) -> str:
    return "" if target.storage in storages else f"not with {target.storage}"


OUTSIDE_FAULTS = [
    Fault("uploads cut by a reset", partial(_cut_uploads, True)),
    Fault("uploads half-sent", partial(_cut_uploads, False)),
    Fault(
        "disk full",
        _fill_disk,
        frozenset({"507", "503"}),
        lasts_s=1.5,
        why_not=_no_disk,
        during=_full_is_said,
    ),
    Fault("wall clock jumps", _jump, lasts_s=1.5, why_not=_no_clock, during=_expiry_is_heeded),
    *(
        Fault(
            name,
            strike,
            LOST,
            AWAY_LIMIT_S,
            lasts_s=lasts_s,
            keeps_from_learning=True,
            why_not=_unless(*storages),
        )
        for name, strike, lasts_s, storages in (
            ("database down", partial(_stop_database, signal.SIGINT), 2.5, ["postgresql"]),
            ("database crashes", partial(_stop_database, signal.SIGQUIT), 2.5, ["postgresql"]),
            ("database stopped", _pause_database, 6.0, ["postgresql"]),
            ("database locked", _lock_database, 2.5, ["sqlite"]),
            ("storage taken away", _take_away, 2.5, ["filesystem", "sqlite"]),
        )
    ),
]
