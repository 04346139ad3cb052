"""What another process writes to its stderr comes out here, no more of it than is bearable."""

from __future__ import annotations

import os
import threading

import pytest

from tfaas_core.system.output.relay import Relay
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually


@in_event_loop
async def test_what_is_written_comes_out_and_the_end_is_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    ended: list[Relay] = []
    relay = Relay(ended.append)
    relay.theirs.sendall(b"last words\n")
    relay.theirs.close()
    await eventually(lambda: ended == [relay], "the end is told")
    assert capfd.readouterr().err == "last words\n"


@in_event_loop
async def test_what_is_there_comes_out_where_it_is_closed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    relay = Relay(lambda _: None)
    relay.theirs.sendall(b"last words\n")
    relay.close()
    relay.close()
    assert capfd.readouterr().err == "last words\n"


@in_event_loop
async def test_who_writes_without_end_has_to_wait(capfd: pytest.CaptureFixture[str]) -> None:
    relay = Relay(lambda _: None)
    theirs = relay.theirs.dup()
    relay.theirs.close()

    def write() -> None:
        with theirs:
            for _turn in range(3 << 6):
                theirs.sendall(b"x" * (1 << 14))

    writer = threading.Thread(target=write)
    writer.start()
    written = 0

    def reads_no_more() -> bool:
        nonlocal written
        more = len(capfd.readouterr().err)
        written += more
        return not more and written >= 1 << 20

    await eventually(reads_no_more, "it waits")
    # A second may have begun meanwhile.
    assert written <= 2 * (1 << 20) + (1 << 17)
    await eventually(lambda: not writer.is_alive(), "it has written all")
    relay.close()


@in_event_loop
async def test_it_does_not_matter_if_nobody_reads_what_comes_out() -> None:
    kept = os.dup(2)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        os.dup2(writing, 2)
        relay = Relay(lambda _: None)
        relay.theirs.sendall(b"unheard")
        relay.close()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writing)
