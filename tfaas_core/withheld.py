"""Withheld: what an error says to the operator alone. Clients do not get it, so the log has it."""

from __future__ import annotations

import logging
import math
import re
import time

_EVERY_S = 1.0

_FOLDERS = re.compile(r"(?<![\w.:/~-])/(?:[^\s/'\"`<>()\[\]{},;:]+/)+(?=[^\s/])")
"""All but the last part of an absolute path; URLs and relative paths have none."""

_log = logging.getLogger("tfaas.errors")


class Withheld:
    """Logs messages, one a second at most: each request may bring one."""

    def __init__(self) -> None:
        self._logged_s = -math.inf

    def log(self, message: str) -> None:
        """May be called from any thread."""
        now_s = time.monotonic()
        if now_s - self._logged_s >= _EVERY_S:
            self._logged_s = now_s
            _log.info("%s", message)


def without_folders(text: str) -> str:
    """``text`` without the folders of the absolute paths in it: clients need not know these."""
    return _FOLDERS.sub("", text)
