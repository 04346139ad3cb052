"""The report: what was done to the server, and what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from tests.chaos.recorder import Recorder
from tests.chaos.schedule import Step

_HEADER = ("fault", "times", "slowest recovery", "all there again", "requests that failed")


class Struck(msgspec.Struct):
    """A step that struck. ``failed``: requests, by what they came to."""

    name: str
    step: Step
    recovery_s: float = 0.0
    whole_s: float = 0.0
    failed: dict[str, int] = {}


class Told(msgspec.Struct):
    """Of one run on a storage. ``skipped``: faults that could not be, each with why."""

    storage: str
    struck: list[Struck] = []
    skipped: dict[str, str] = {}
    outcomes: dict[str, int] = {}
    wrong: list[str] = []
    lost: list[str] = []
    orphans: list[str] = []
    breaches: list[str] = []

    def take(self, recorder: Recorder, unexcused: Sequence[str]) -> None:
        """What was recorded."""
        self.outcomes = dict(sorted(recorder.outcomes.items()))
        self.wrong += recorder.wrong
        self.lost += recorder.lost
        self.breaches += [*recorder.breaches, *unexcused]

    @property
    def is_well(self) -> bool:
        """Whether nothing was broken that is promised."""
        return not (self.wrong or self.lost or self.orphans or self.breaches)


class Report(msgspec.Struct):
    """All runs of a seed; with it and the steps, they can be had again."""

    seed: int
    runs: list[Told] = []
    load_average: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether all runs were."""
        return all(told.is_well for told in self.runs)

    def text(self) -> str:
        """For people."""
        lines = []
        for told in self.runs:
            lines += ["", f"{told.storage}:", *_table(told)]
            lines += [f"  skipped: {name}: {why}" for name, why in told.skipped.items()]
            requests = ", ".join(f"{count} {name}" for name, count in told.outcomes.items())
            lines.append(f"  requests: {requests}")
            kinds = {
                "wrong answers": told.wrong,
                "lost": told.lost,
                "orphans": told.orphans,
                "other breaches": told.breaches,
            }
            lines.append("  " + ", ".join(f"{kind}: {len(all_)}" for kind, all_ in kinds.items()))
            for kind, all_ in kinds.items():
                lines += [f"  {kind}: {one}" for one in all_[:20]]
        verdict = "all is well" if self.is_well else "BROKEN; to have it again, replay this report"
        lines += ["", f"load average at the end: {self.load_average:.1f}"]
        return "\n".join([*lines, f"seed {self.seed}: {verdict}"])


def _table(told: Told) -> list[str]:
    by_name: dict[str, list[Struck]] = {}
    for struck in told.struck:
        by_name.setdefault(struck.name, []).append(struck)
    rows = [_HEADER, *(_row(name, all_) for name, all_ in sorted(by_name.items()))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row(name: str, struck: list[Struck]) -> tuple[str, ...]:
    failed = sum((Counter(one.failed) for one in struck), Counter[str]())
    return (
        name,
        str(len(struck)),
        f"{max(one.recovery_s for one in struck):.2f} s",
        f"{max(one.whole_s for one in struck):.2f} s",
        ", ".join(f"{count} {outcome}" for outcome, count in sorted(failed.items())) or "none",
    )
