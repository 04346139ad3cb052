"""The header ``Accept``: which of several formats a client would rather have (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

_NAME = r"[!#$%&'+.^_`|~0-9a-z-]+"
_RANGE = re.compile(rf"({_NAME})/({_NAME}|\*)|(\*)/(\*)")
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class MediaRange(msgspec.Struct, frozen=True):
    """An element of the header, like ``text/*;q=0.5``; ``place`` is its own among them."""

    type: str
    subtype: str
    quality: float
    place: int

    @property
    def stars(self) -> int:
        """How many parts are left open."""
        return (self.type, self.subtype).count("*")

    def matches(self, media_type: str) -> bool:
        kind, _, subtype = media_type.partition("/")
        return self.type in ("*", kind) and self.subtype in ("*", subtype)


def preferred(accept: str, offers: Sequence[str]) -> str | None:
    """Which of the media types ``offers`` the client likes best; None: it accepts none of them.

    Of those it likes equally, it is the one that comes first in ``accept``, and then in ``offers``.
    What cannot be read of ``accept`` is ignored; without anything that can, all is accepted.
    Parameters but ``q`` are ignored, too: no format here has any.
    """
    ranges = list(_ranges(accept))
    if not ranges:
        return offers[0]
    liked = []
    for place, offer in enumerate(offers):
        matching = [found for found in ranges if found.matches(offer)]
        if matching:
            closest = min(matching, key=lambda found: found.stars)
            liked.append((-closest.quality, closest.place, place))
    best = min(liked, default=None)
    return None if best is None or not best[0] else offers[best[2]]


def _ranges(accept: str) -> Iterator[MediaRange]:
    for place, element in enumerate(accept.lower().split(",")):
        name, *parameters = (part.strip() for part in element.split(";"))
        found, quality = _RANGE.fullmatch(name), _quality(parameters)
        if found is not None and quality is not None:
            yield MediaRange(found[1] or "*", found[2] or "*", quality, place)


def _quality(parameters: Sequence[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()
            return float(value) if _QUALITY.fullmatch(value) else None
    return 1.0
