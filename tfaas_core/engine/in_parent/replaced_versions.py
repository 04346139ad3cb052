"""ReplacedVersions: whoever asks for one before it knows of the upload that replaced it."""

from __future__ import annotations

import time

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.engine.in_parent.seat import replaced
from tfaas_core.engine.in_parent.seats import Seats

_LOOKS_WITHIN_S = 10.0
"""By then, every HTTP worker knows the new version."""


class _Upload(msgspec.Struct):
    """``known_to``: the workers that have looked since then which version is live."""

    key: str
    stored_s: float
    known_to: set[int]


class ReplacedVersions:
    """Where memory is limited, the version before would take the place of the new one.

    Workers are told so until they have seen for themselves which version is live now. If a client
    has named the one before, by its number or a label, they ask for that again, and get it.
    """

    def __init__(self, seats: Seats, is_limited: bool) -> None:
        self._seats = seats
        self._is_limited = is_limited
        self._uploads: dict[str, _Upload] = {}

    def stored(self, model: str, key: str) -> None:
        """The upload of a model is the version of this ``key`` from now on."""
        if not self._is_limited:
            return
        now_s = time.monotonic()
        uploads = {name: each for name, each in self._uploads.items() if _is_new(each, now_s)}
        self._uploads = {**uploads, model: _Upload(key, now_s, set())}
        self._seats.replace_waiting(model)

    def looked_up(self, worker: int, model: str) -> None:
        """The worker knows by now which version of the model is live."""
        if (upload := self._uploads.get(model)) is not None:
            upload.known_to.add(worker)

    def check(self, worker: int, candidate: Candidate) -> None:
        """Raises UnknownVersion if the worker is to look which version is live."""
        upload = self._uploads.get(candidate.name)
        if upload is None or upload.key == candidate.key or worker in upload.known_to:
            return
        if _is_new(upload, time.monotonic()):
            raise replaced(candidate)


def _is_new(upload: _Upload, now_s: float) -> bool:
    return now_s < upload.stored_s + _LOOKS_WITHIN_S
