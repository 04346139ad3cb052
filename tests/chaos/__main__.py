"""``python -m tests.chaos``: faults for two minutes, and a report; ``make chaos`` runs it."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.chaos.report import Report, Told
from tests.chaos.run import Run
from tests.chaos.schedule import FAULTS, Deck, Step
from tests.chaos.target import STORAGES, Target


def main() -> int:
    """Returns the exit status: 1 if anything was broken that is promised."""
    options = _options()
    if options.replay is not None:
        before = msgspec.json.decode(options.replay.read_bytes(), type=Report)
        report = Report(before.seed)
        plans: dict[str, Iterable[Step] | None] = {
            told.storage: [struck.step for struck in told.struck] for told in before.runs
        }
    else:
        report = Report(options.seed)
        plans = dict.fromkeys(options.storages.split(","))
    print(f"seed {report.seed}", flush=True)
    deck = Deck(report.seed, options.faults.split(",") if options.faults else list(FAULTS))
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
    with target.prepared():
        run = Run(target, seed, True, _say)
        run.told.skipped = {name: why for name, f in FAULTS.items() if (why := f.why_not(target))}
        if steps is not None:
            return run.play(steps)
        return run.play(deck.steps(target), seconds)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="of all storages together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--storages", default=",".join(STORAGES), help="with commas")
    parser.add_argument("--faults", default="", help="some of them only, with commas")
    parser.add_argument("--replay", type=Path, help="a report, whose steps are taken again")
    parser.add_argument("--report", type=Path, default=Path("chaos-report.json"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
