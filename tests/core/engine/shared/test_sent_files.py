"""Uploads on their way to a host, and what becomes of those that are given up."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path

import pytest

from tfaas_core.engine.shared.sent_files import in_thread, send_files
from tfaas_core.testing.loops import in_event_loop


@in_event_loop
async def test_whoever_gives_up_an_upload_closes_no_connection_beneath_it(tmp_path: Path) -> None:
    """What is sent on to a closed descriptor may go to whoever has got the same number since."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 30)
    ours, theirs = socket.socketpair()
    sending = threading.Event()

    def send(sock: socket.socket, artifact: Path) -> None:
        sending.set()
        try:
            send_files(sock, artifact)
        finally:
            sending.clear()

    with ours, theirs:
        upload = asyncio.create_task(in_thread(ours, send, tmp_path / "large"))
        await asyncio.to_thread(theirs.recv, 1)
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        assert not sending.is_set()
