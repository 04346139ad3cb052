"""Chromium, without a window, for tests of what a browser makes of the server's answers."""

from __future__ import annotations

import os
import shutil

import pytest

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


# The same browser, built without windows: a visit takes a third of the processor time.
_BINARIES = ("chromium-headless-shell", "chromium")


def chromium() -> str:
    """Its binary. Skips the test, but under CI, if there is none."""
    binary = next(filter(None, map(shutil.which, _BINARIES)), None)
    if binary is None:
        assert os.environ.get("CI") != "true", "no chromium, which CI must have"
        pytest.skip("no chromium: apt-get install chromium-headless-shell")
    return binary
