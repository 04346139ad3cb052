"""Places: where in a document long lists of numbers may be."""

from __future__ import annotations

from typing import Final

from tfaas_plugins.codecs.values.number_lists import Path

ANY: Final = None
"""Whatever the field is called, or however many are before it in a list."""


class Places:
    """Paths, in which there may be ANY."""

    def __init__(self, *paths: tuple[str | int | None, ...]) -> None:
        self._paths = paths

    def has(self, path: Path) -> bool:
        """Whether the value at ``path`` is in one of the places."""
        return any(len(each) == len(path) and _begins(each, path) for each in self._paths)

    def has_within(self, path: Path) -> bool:
        """Whether one of them may be within the value at ``path``."""
        return any(len(each) > len(path) and _begins(each, path) for each in self._paths)


def _begins(place: tuple[str | int | None, ...], path: Path) -> bool:
    return all(wanted in (ANY, found) for wanted, found in zip(place, path, strict=False))


NOWHERE = Places()
"""They are read as lists."""
