"""Report: what came of all cases, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfaas_core.testing.conformance.subject import CaseOutcome


class ConformanceReport:
    """The outcomes of a run."""

    def __init__(self, outcomes: Sequence[CaseOutcome]) -> None:
        self.outcomes = outcomes

    @property
    def conforms(self) -> bool:
        """Whether no case failed, and one passed at least."""
        return not self.of("failed") and bool(self.of("passed"))

    def of(self, result: str) -> list[CaseOutcome]:
        """Those that passed, failed or were skipped."""
        return [outcome for outcome in self.outcomes if outcome.result == result]

    def rows(self) -> list[tuple[str, ...]]:
        """Of each group, its name, and how many cases passed, failed and were skipped."""
        groups = dict.fromkeys(outcome.group for outcome in self.outcomes)
        rows = [_row(group, [o for o in self.outcomes if o.group == group]) for group in groups]
        return [*rows, _row("all", self.outcomes)]

    def document(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        counts = {result: len(self.of(result)) for result in ("passed", "failed", "skipped")}
        return {"conforms": self.conforms, **counts, "cases": list(self.outcomes)}


def _row(name: str, outcomes: Sequence[CaseOutcome]) -> tuple[str, ...]:
    counts = [sum(o.result == r for o in outcomes) for r in ("passed", "failed", "skipped")]
    return (name, *map(str, counts))
