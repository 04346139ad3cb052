"""What the command line asks of the benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

_RESULTS = Path(__file__).with_name("results")


class Options(msgspec.Struct, frozen=True):
    """``results``: the folder that keeps the report, or None where it is only printed.

    ``seconds`` is of one round, ``rounds`` how many of them each contender has. ``soak_s`` is how
    long the soak lasts.
    """

    quick: bool
    connections: list[int]
    seconds: int
    rounds: int
    soak_s: int
    results: Path | None


def parse(description: str | None) -> Options:
    """Reads ``sys.argv``; ends the program where that cannot be read, and for ``--help``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="short rounds: see that it works")
    parser.add_argument(
        "--connections", type=_count, nargs="+", default=[1, 32, 128, 512], help="1 32 128 512"
    )
    parser.add_argument("--seconds", type=_count, help="of one round; 5, or 1 with --quick")
    parser.add_argument("--rounds", type=_count, help="of each contender; 3, or 1 with --quick")
    parser.add_argument("--soak", type=_count, help="seconds of it; 60, or 9 with --quick")
    parser.add_argument(
        "--results", type=Path, help="folder to write to; benchmarks/results, or none with --quick"
    )
    given = parser.parse_args()
    return Options(
        quick=given.quick,
        connections=given.connections,
        seconds=given.seconds or (1 if given.quick else 5),
        rounds=given.rounds or (1 if given.quick else 3),
        soak_s=given.soak or (9 if given.quick else 60),
        results=given.results or (None if given.quick else _RESULTS),
    )


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is not at least 1")
    return count
