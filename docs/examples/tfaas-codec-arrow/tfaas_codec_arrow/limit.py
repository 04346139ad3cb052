"""The limit of what a table may take in memory."""

from __future__ import annotations

import msgspec

from tfaas_core.errors import TooLarge


class Limit(msgspec.Struct, frozen=True):
    """Bodies may be compressed, and say of themselves what they expand to: it is checked before."""

    limit_bytes: int

    def check(self, needed_bytes: int) -> None:
        """Raises TooLarge if this is more."""
        if needed_bytes > self.limit_bytes:
            raise TooLarge(
                f"the table takes {needed_bytes} bytes when it is expanded, the limit is "
                f"{self.limit_bytes} (server.max_body_bytes); send fewer rows",
                expected=self.limit_bytes,
                got=needed_bytes,
            )
