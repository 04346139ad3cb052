"""Request ids: what ``X-Request-Id`` names a request by, in answers and in logs."""

from __future__ import annotations

import itertools
import os
import re

REQUEST_ID_HEADER = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")

_COUNT = itertools.count(1)


class _Process:
    mark = os.urandom(6).hex()

    @classmethod
    def renew(cls) -> None:
        cls.mark = os.urandom(6).hex()


os.register_at_fork(after_in_child=_Process.renew)


def sane_id(text: str) -> str:
    """The id that a client sent; empty if it is long, or could mean something elsewhere."""
    return text if _SANE.fullmatch(text) else ""


def fresh_id() -> str:
    """An id that no other request has, of this process or another. Nobody can guess the first."""
    return f"{_Process.mark}-{next(_COUNT)}"
