"""A model's versions: which there are, which one is live, and which ones labels name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

import msgspec

from tfaas_core.errors import DoesNotFit, UnknownVersion
from tfaas_core.models.model import ModelVersion

MAX_LABELS = 100
"""Of one model. Each may keep a version from being removed."""

MAX_NUMBER = 2**31 - 1
"""Of a version."""

_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


def check_number(value: Any) -> int:
    """``value``, if it may be the number of a version; raises DoesNotFit if it may not."""
    if type(value) is not int or not 0 < value <= MAX_NUMBER:
        raise DoesNotFit(
            f"version is {_shown(value)}, send the number of a version: an integer "
            f"from 1 to {MAX_NUMBER}",
            field="version",
        )
    return value


def number_of(text: str) -> int:
    """The version's number that a path or a form spells; raises DoesNotFit as above."""
    return check_number(int(text) if _NUMBER.fullmatch(text) else text)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return repr(value[:40])
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if not isinstance(value, int | float):
        return "no number"
    text = str(value)
    return text if len(text) <= 20 else f"{text[:20]}..."


class Pointers(msgspec.Struct, frozen=True):
    """Which of a model's versions are used: the live one, and those that labels name.

    ``history`` are the numbers of the versions that went live, in order and each once: the last
    one is live, and roll-back returns to the one before it.
    """

    history: tuple[int, ...] = ()
    labels: dict[str, int] = {}

    @property
    def live(self) -> int:
        """The number of the live version; 0 if there is none."""
        return self.history[-1] if self.history else 0

    @property
    def kept(self) -> set[int]:
        """The numbers of the versions that must not be removed."""
        return {*self.history[-1:], *self.labels.values()}

    def with_live(self, number: int) -> Pointers:
        """``number`` goes live, for the first time or again."""
        before = self.history
        if number in before:
            return Pointers(before[: before.index(number) + 1], self.labels)
        return Pointers((*before, number), self.labels)

    def with_label(self, label: str, number: int) -> Pointers:
        """``label`` names ``number``, whatever it named before."""
        return Pointers(self.history, {**self.labels, label: number})

    def without_label(self, label: str) -> Pointers:
        """``label`` names nothing any more."""
        labels = {name: number for name, number in self.labels.items() if name != label}
        return Pointers(self.history, labels)

    def among(self, numbers: Collection[int]) -> Pointers:
        """Those that point at one of ``numbers``, the only versions that there are, in order.

        If none of them was ever live, the highest is.
        """
        history = tuple(number for number in self.history if number in numbers)
        labels = {label: number for label, number in self.labels.items() if number in numbers}
        return Pointers(history or tuple(sorted(numbers)[-1:]), labels)


class Model(msgspec.Struct, frozen=True, dict=True):
    """A stored model: its versions in ascending order, one at least, and its pointers.

    Make one with ``of``, which sees to it that the pointers point at versions that are there.
    """

    versions: tuple[ModelVersion, ...]
    pointers: Pointers

    @classmethod
    def of(cls, versions: Iterable[ModelVersion], pointers: Pointers) -> Model:
        ascending = tuple(sorted(versions, key=lambda version: version.version))
        return cls(ascending, pointers.among([version.version for version in ascending]))

    @cached_property
    def name(self) -> str:
        return self.versions[0].name

    @cached_property
    def live(self) -> ModelVersion:
        """The version that answers requests which name no other."""
        return self.version(self.pointers.live)

    @cached_property
    def newest(self) -> ModelVersion:
        """The version of the highest number."""
        return self.versions[-1]

    def version(self, number: int) -> ModelVersion:
        """Version ``number``; raises UnknownVersion."""
        for version in reversed(self.versions):
            if version.version == number:
                return version
        there = ", ".join(str(version.version) for version in self.versions)
        raise UnknownVersion(
            f"model {self.name!r} has no version {number}; there are: {there}",
            model=self.name,
            expected=[version.version for version in self.versions],
            got=number,
        )

    def labelled(self, label: str) -> ModelVersion:
        """The version that ``label`` names; raises UnknownVersion."""
        number = self.pointers.labels.get(label)
        if number is None:
            there = ", ".join(sorted(self.pointers.labels)) or "none"
            raise UnknownVersion(
                f"model {self.name!r} has no label {label[:140]!r}; there are: {there}",
                model=self.name,
                expected=sorted(self.pointers.labels),
                got=label[:140],
            )
        return self.version(number)

    def before_live(self) -> ModelVersion:
        """The version that was live before the live one; raises UnknownVersion.

        If no other was ever live, it is the next lower number.
        """
        history = self.pointers.history
        if len(history) > 1:
            return self.version(history[-2])
        lower = [version for version in self.versions if version.version < self.pointers.live]
        if not lower:
            raise UnknownVersion(
                f"model {self.name!r} has no version before {self.pointers.live}, the live one, "
                "to roll back to",
                model=self.name,
            )
        return lower[-1]
