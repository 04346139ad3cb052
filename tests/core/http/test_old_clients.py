"""HTTP/1.0, which old clients, and proxies by default, speak: it has no chunks."""

from __future__ import annotations

import pytest

from tests.core.http.served import Served, serve_host
from tests.core.http.test_streams import PIECE, StreamsHost, streaming


@pytest.mark.parametrize(("length", "is_last"), [(None, True), (2 * len(PIECE), False)])
def test_clients_of_http_1_0_get_no_chunks(length: int | None, is_last: bool) -> None:
    async def test(served: Served) -> None:
        connection = await served.connect()
        kept = b"POST /stream HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
        connection.writer.write(kept)
        head = await connection.reader.readuntil(b"\r\n\r\n")
        assert await connection.reader.readexactly(2 * len(PIECE)) == 2 * PIECE
        assert b"transfer-encoding" not in head.lower()
        assert (b"connection: close" in head.lower()) is is_last
        if is_last:
            assert await connection.reader.read() == b""

    serve_host(StreamsHost({"stream": streaming(PIECE, PIECE, length=length)}, True), test)
