"""Opening: how a connection of HTTP/2 begins, such that gRPC's limits hold from the first call on.

gRPC's library holds clients to its limits of metadata once they have acknowledged its settings. Who
never does may send heads of any size, of which each byte can be a field. So the library is told at
once that its settings are acknowledged, and does not hear it when the client says so.
"""

from __future__ import annotations

from tfaas_plugins.grpc_server.frames import HEAD_BYTES, PREFACE_BYTES

_SETTINGS = 4
_MOST_BYTES = 1 << 17
"""So much is looked at. Nobody can send twice the first window without having heard the server."""

_ACKNOWLEDGED = 1
ACKNOWLEDGEMENT = bytes((0, 0, 0, _SETTINGS, _ACKNOWLEDGED, 0, 0, 0, 0))
"""The frame that says so."""


class Opening:
    """What a client sends until it has acknowledged the server's settings, or too much."""

    def __init__(self) -> None:
        self.is_over = False
        """What comes now may go by unseen."""
        self._left_bytes = _MOST_BYTES
        self._head = b""
        self._unseen_bytes = PREFACE_BYTES
        self._are_settings = False
        self._is_told = False

    def passed(self, data: bytes) -> bytes:
        """What the library is to get of what has come; the server has sent its settings before."""
        passed, at = [], 0
        # Frames can be as short as their heads, and these are looked at one by one.
        end = min(len(data), self._left_bytes)
        self._left_bytes -= end
        while at < len(data) and (at < end or self._head) and not self.is_over:
            if self._unseen_bytes:
                piece = data[at : at + self._unseen_bytes]
                self._unseen_bytes -= len(piece)
            else:
                piece = data[at : at + HEAD_BYTES - len(self._head)]
                self._head += piece
            at += len(piece)
            passed.append(self._of(piece))
        if not self._left_bytes and not self._head:
            self.is_over = True
        return b"".join((*passed, data[at:]))

    def _of(self, piece: bytes) -> bytes:
        """What becomes of a piece of a head, or of what is behind one."""
        if len(self._head) == HEAD_BYTES:
            piece = self._of_head()
        elif self._head:
            return b""
        if self._are_settings and not self._unseen_bytes:
            self._are_settings, self._is_told = False, True
            return piece + ACKNOWLEDGEMENT
        return piece

    def _of_head(self) -> bytes:
        """That of a frame, which is whole."""
        head, self._head = self._head, b""
        self._unseen_bytes = int.from_bytes(head[:3], "big")
        are_settings = head[3] == _SETTINGS
        if self._is_told:
            self.is_over = are_settings and bool(head[4] & _ACKNOWLEDGED)
            return b"" if self.is_over and not self._unseen_bytes else head
        # The first frame is the client's settings, or else the library ends the connection.
        self._are_settings = are_settings and not head[4] & _ACKNOWLEDGED
        self.is_over = not self._are_settings
        return head
