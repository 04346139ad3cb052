"""Processes that are killed at random moments, amid changes of a storage.

What they told before must be there, and what they began must be there wholly or not at all.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from tfaas_core.storage import Storage
from tfaas_core.testing.children import Child, Report
from tfaas_core.testing.storage_processes import (
    MakeStorage,
    Shape,
    becomes_free,
    fault_of,
    newest,
    opened,
    upload,
)
from tfaas_core.testing.tries import tries

FEWEST_KILLS = tries(60)
FEWEST_KILLS_OF_LEASES = tries(10)
_MOST_KILLS = tries(150)
_KILLING_S = float(tries(3))


def kill_at_random(make: MakeStorage, folder: Path) -> int:
    """Kills processes amid uploads and deletions, and checks after each; returns how many."""
    random = Random(42)
    storage = opened(make, folder)
    ledger = _Ledger(storage)
    start_s = time.monotonic()
    ledger.follow([["upload", "a"], ["stored", upload(storage, "a").version]])
    upload_s = time.monotonic() - start_s
    kills = 0
    # After each, one has to wait for a lease to end.
    fewest = FEWEST_KILLS_OF_LEASES if storage.lease_s else FEWEST_KILLS
    while kills < fewest or (kills < _MOST_KILLS and time.monotonic() - start_s < _KILLING_S):
        victim = Child(partial(_change_forever, make, folder, kills))
        ready = victim.report()
        assert ready == ["ready"], ready
        time.sleep(random.uniform(0, 2 * upload_s))
        ledger.follow(victim.kill())
        if kills % 10 == 9:
            storage.sweep()
        ledger.check()
        kills += 1
    return kills


def _change_forever(make: MakeStorage, folder: Path, seed: int, report: Report) -> NoReturn:
    random = Random(seed)
    storage = opened(make, folder)
    report("ready")
    while True:
        name = random.choice("abc")
        if random.random() < 0.3:
            report("delete", name)
            with storage.claim(name) as claim:
                storage.delete(claim)
            report("deleted")
        else:
            report("upload", name)
            shape = random.choice(list(Shape))
            report("stored", upload(storage, name, random.randbytes(8), shape, 2).version)


class _Ledger:
    """Which versions must be there, by what processes told before they were killed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._versions = dict.fromkeys("abc", 0)
        self._unsure: tuple[str, int] | None = None

    def follow(self, reports: list[list[Any]]) -> None:
        self._unsure = None
        for what, *value in reports:
            if what in ("upload", "delete"):
                name = value[0]
                self._unsure = (name, self._versions[name] + 1 if what == "upload" else 0)
            elif self._unsure is not None:
                name, outcome = self._unsure
                assert what == "deleted" or value == [outcome], (name, what, value)
                self._versions[name], self._unsure = outcome, None

    def check(self) -> None:
        listed = {model.name: model.live for model in self._storage.list()}
        for name, version in self._versions.items():
            record = listed.get(name)
            found = 0 if record is None else record.version
            if (name, found) == self._unsure:
                self._versions[name] = found
            else:
                assert found == version, (name, found, version, self._unsure)
            assert newest(self._storage, name) == record
            assert record is None or fault_of(self._storage, record) is None
            assert becomes_free(self._storage, name)
