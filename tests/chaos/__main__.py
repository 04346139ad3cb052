"""``python -m tests.chaos``: faults for two minutes, and a report; ``make chaos`` runs it."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.chaos.report import Report, Told
from tests.chaos.run import Run
from tests.chaos.schedule import FAULTS, Deck, Step
from tests.chaos.target import STORAGES, Target


def main() -> int:
    """Returns the exit status: 1 if anything was broken that is promised."""
    options = _options()
    # So that servers are ended, and disks unmounted, as they are on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.replay is not None:
        before = msgspec.json.decode(options.replay.read_bytes(), type=Report)
        report = Report(before.seed)
        plans: dict[str, Iterable[Step] | None] = {
            told.storage: [struck.step for struck in told.struck] for told in before.runs
        }
    else:
        report = Report(options.seed)
        plans = dict.fromkeys(options.storages)
    print(f"seed {report.seed}", flush=True)
    deck = Deck(report.seed, options.faults)
    seconds = options.minutes * 60 / len(plans)
    for storage, steps in plans.items():
        folder = Path(tempfile.mkdtemp(prefix="tfaas-chaos-"))
        told = _told(storage, folder, report.seed, deck, steps, seconds)
        report.runs.append(told)
        if told.is_well:
            shutil.rmtree(folder)
        else:
            print(f"kept, with the server's logs: {folder}")
    report.load_average = round(os.getloadavg()[0], 2)
    options.report.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(report.text(), f"\nwritten: {options.report}")
    return 0 if report.is_well else 1


def _told(
    storage: str,
    folder: Path,
    seed: int,
    deck: Deck,
    steps: Iterable[Step] | None,
    seconds: float,
) -> Told:
    target = Target(storage, folder)
    skipped = {name: why for name, fault in FAULTS.items() if (why := fault.why_not(target))}
    try:
        with target.prepared():
            run = Run(target, seed, say=_say)
            run.told.skipped = skipped
            if steps is not None:
                return run.play(steps)
            return run.play(deck.steps(target), seconds)
    except pytest.skip.Exception as error:
        return Told(storage, skipped={"everything": str(error)})


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _some_of(known: Collection[str], text: str) -> list[str]:
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is none of: {', '.join(known)}")
    return text.split(",")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="of all storages together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    for name, known in (("--storages", STORAGES), ("--faults", tuple(FAULTS))):
        some = partial(_some_of, known)
        parser.add_argument(name, type=some, default=known, help="some of them, with commas")
    parser.add_argument("--replay", type=Path, help="a report, whose steps are taken again")
    parser.add_argument("--report", type=Path, default=Path("chaos-report.json"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
