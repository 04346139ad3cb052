"""``make fuzz MINUTES=60``: fuzzes all targets, on all cores, and tells what came of it.

Each target has a process of its own, and an equal share of the time. What it finds of new inputs
stays in ``.fuzz/found``, and the next time goes on from there. An input that fails is in
``.fuzz/failed``.

With a seed, a target that does not depend on time or addresses gets the same inputs in the same
order each time, as long as the code and what was found before are the same: a slower machine gets
less far.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from tests.fuzz.older import failed_at, revision_before
from tests.fuzz.registry import TARGETS, Target

ROOT = Path(__file__).parents[2]
HAS_ATHERIS = importlib.util.find_spec("atheris") is not None
ROOM = ROOT / ".fuzz"
"""Git ignores it."""

_START_S = 120
"""So long may it take to import what is fuzzed."""

_STUCK_S = 60
_MOST_MB = 4096
_FAULT = "Uncaught Python exception"
_SHOWN = 3000
"""Characters of a log."""

_FEATURES = re.compile(r"cov: (\d+) ft: (\d+)")
_STATISTIC = re.compile(r"stat::number_of_executed_units: +(\d+)")


class Outcome(msgspec.Struct, frozen=True):
    """What came of a target. ``failed``: the input that failed, if one did; ``log`` says how."""

    target: Target
    executions: int
    lines: int
    features: int
    took_s: float
    failed: Path | None
    log: Path
    status: int


def main(arguments: Sequence[str]) -> int:
    """Fuzzes; 1 if an input failed, or a process did, and did not before ``--new-since``."""
    options = _parser().parse_args(arguments)
    if not HAS_ATHERIS and os.environ.get("CI") != "true":
        print("not fuzzed: atheris is not installed, which is there for Linux on x86-64 alone")
        return 0
    by_name = {each.name: each for each in TARGETS}
    if strange := [name for name in options.targets if name not in by_name]:
        print(f"no target is called {', '.join(strange)}; there are: {', '.join(by_name)}")
        return 1
    chosen = [by_name[name] for name in options.targets or by_name]
    cores = len(os.sched_getaffinity(0))
    share_s = max(1, int(options.minutes * 60 * min(cores, len(chosen)) / len(chosen)))
    print(f"{len(chosen)} targets, {share_s} s each, {cores} at a time", flush=True)
    with ThreadPoolExecutor(cores) as pool:
        outcomes = list(pool.map(lambda target: fuzz(target, share_s, options.seed), chosen))
    print(table(outcomes))
    wrong = [each for each in outcomes if each.status]
    for outcome in wrong:
        print(f"\n{report(outcome)}")
    since = options.new_since
    older = [each for each in wrong if since and is_older(each, since)]
    for outcome in older:
        print(f"\n{outcome.target.name} failed so {since}, too: no change since then is to blame")
    return 1 if len(wrong) > len(older) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="for all targets together")
    parser.add_argument("--seed", type=int, default=0, help="left out: another one each time")
    parser.add_argument(
        "--new-since",
        metavar="TIME",
        help="as git reads it: what the code of before fails for, too, is told, but ends with 0",
    )
    parser.add_argument("targets", nargs="*", help="those alone; left out: all")
    return parser


def fuzz(target: Target, share_s: int, seed: int = 0, room: Path = ROOM) -> Outcome:
    """Fuzzes a target for so long, in a process of its own. A ``seed`` of 0: any."""
    found, failed = room / "found" / target.name, room / "failed" / target.name
    log = room / "logs" / f"{target.name}.log"
    for folder in (found, failed, log.parent, target.corpus):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(failed.iterdir())
    since_s = time.monotonic()
    flags = [
        f"-seed={seed}",
        f"-max_total_time={share_s}",
        f"-max_len={target.max_bytes}",
        f"-timeout={_STUCK_S}",
        f"-rss_limit_mb={_MOST_MB}",
        f"-artifact_prefix={failed}/",
        # By the clock, which says more of what else the machine does.
        f"-report_slow_units={share_s + _START_S}",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    command = [*command_of(target), *flags, str(found), str(target.corpus)]
    with log.open("wb") as out:
        status = _run(command, out, share_s + _START_S)
    text = log.read_text(errors="replace")
    lines, features = map(int, (_FEATURES.findall(text) or [(0, 0)])[-1])
    executed = _STATISTIC.search(text)
    return Outcome(
        target,
        int(executed[1]) if executed else 0,
        lines,
        features,
        took_s=time.monotonic() - since_s,
        failed=next(iter(set(failed.iterdir()) - before), None),
        log=log,
        status=status,
    )


def command_of(target: Target) -> list[str]:
    """What fuzzes a target, to be followed by flags of libFuzzer, folders and files."""
    watched = [f"--instrument={package}" for package in target.packages]
    entry = ["-m", "tfaas_core.testing.fuzz", f"{target.module}:check"]
    return [sys.executable, *entry, *watched, f"--held-s={target.held_s}", "--"]


def is_older(outcome: Outcome, when: str, root: Path = ROOT) -> bool:
    """Whether the code of ``when`` fails for the same input in the same way."""
    revision = revision_before(when, root)
    if outcome.failed is None or revision is None:
        return False
    again = [*command_of(outcome.target), str(outcome.failed)]
    return failed_at(revision, root, again, outcome.status, _START_S)


def _run(command: Sequence[str], out: IO[bytes], most_s: float) -> int:
    # The order of a set must not depend on anything but the seed.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment)
    try:
        return int(process.wait(most_s + _STUCK_S))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        return 1
    finally:
        process.kill()
        process.wait()


def table(outcomes: Sequence[Outcome]) -> str:
    """A line for each target."""
    heads = ("target", "executions", "per s", "lines", "features", "failed")
    lines = [f"{heads[0]:<12}" + "".join(f"{head:>12}" for head in heads[1:])]
    for each in outcomes:
        rate = each.executions / each.took_s
        failed = "yes" if each.status else "no"
        numbers = (each.executions, f"{rate:.0f}", each.lines, each.features, failed)
        lines.append(f"{each.target.name:<12}" + "".join(f"{number:>12}" for number in numbers))
    total = sum(each.executions for each in outcomes)
    return "\n".join([*lines, f"{'together':<12}{total:>12}"])


def report(outcome: Outcome) -> str:
    """What went wrong, and how to see it again."""
    name, text = outcome.target.name, outcome.log.read_text(errors="replace")
    _, marker, fault = text.partition(_FAULT)
    shown = (marker + fault)[:_SHOWN] or text[-_SHOWN:]
    if outcome.failed is None:
        return f"{name} ended with status {outcome.status}, see {outcome.log}:\n{shown}"
    again = shlex.join([*command_of(outcome.target), str(outcome.failed)])
    return (
        f"{name} fails for {outcome.failed}, see {outcome.log}; to see it again:\n    {again}\n"
        f"Once it is mended, the input belongs into {outcome.target.corpus}, of which the tests try"
        f" all.\n{shown}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
