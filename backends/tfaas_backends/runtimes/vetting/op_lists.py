"""The ops that models may use, those that they may not, and why: what the files beside this say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import msgspec

_ALLOWED = Path(__file__).with_name("allowed_ops.txt")
_REFUSED = Path(__file__).with_name("refused_ops.toml")


class Family(msgspec.Struct, frozen=True):
    """Ops that are refused; ``reason`` is a clause that follows an op's name."""

    name: str
    reason: str
    patterns: tuple[str, ...]

    @property
    def ops(self) -> re.Pattern[str]:
        """Of the names of all of them."""
        return re.compile("|".join(self.patterns))


def _allowed() -> frozenset[str]:
    lines = _ALLOWED.read_text(encoding="utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


def _families() -> tuple[Family, ...]:
    tables = tomllib.loads(_REFUSED.read_text(encoding="utf-8"))
    return tuple(
        Family(name, table["reason"], tuple(table["ops"].split())) for name, table in tables.items()
    )


# Read when this is imported: the process that runs a model need not be able to.
ALLOWED_OPS = _allowed()
"""The names of all ops that models may use."""

REFUSED_FAMILIES = _families()
"""What models may not use; of two that hold an op, the first one counts."""


def family_of(op: str) -> Family | None:
    """The first family that has the op; None if none has."""
    return next((family for family in REFUSED_FAMILIES if family.ops.fullmatch(op)), None)


def unlisted(ops: Iterable[str]) -> list[str]:
    """Those of ``ops`` of which nobody has said yet whether models may use them."""
    return sorted(op for op in ops if op not in ALLOWED_OPS and family_of(op) is None)
