"""How a process ended, in words."""

from __future__ import annotations

import signal

import pytest

from tfaas_core.system.lives.ending import Ending


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending(0), "ended with exit code 0"),
        (Ending(3), "ended with exit code 3"),
        (Ending(-signal.SIGABRT), "was killed by SIGABRT"),
        (Ending(-signal.SIGABRT, True), "was killed by SIGABRT"),
        (Ending(-signal.SIGKILL), "was killed by SIGKILL"),
        (
            Ending(-signal.SIGKILL, True),
            "was killed by the kernel (SIGKILL), because there was no memory left",
        ),
        (Ending(-40), "was killed by signal 40"),
        (Ending(), "ended, and nobody saw how"),
    ],
)
def test_an_ending_is_the_end_of_a_sentence(ending: Ending, words: str) -> None:
    assert str(ending) == words
