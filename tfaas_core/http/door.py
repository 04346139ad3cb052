"""Door: how many connections one HTTP worker has, and who comes in when there are too many."""

from __future__ import annotations

import resource
from collections import OrderedDict
from typing import Protocol

from tfaas_core.config import Config
from tfaas_core.errors import Unavailable

RESERVED_CONNECTIONS = 32
"""Beyond ``limits.max_connections``, for what is quick: health, the status, deletions."""

_LOOKED_AT = 64
"""So many are asked at a time whether they have anything to do."""

_OWN_FILES = 128
_FILES_PER_MODEL = 2
_FEWEST = 16


class Visitor(Protocol):
    """A connection."""

    def leave_if_idle(self) -> bool:
        """Ends at once, if no whole request has come, or all are answered; whether it did."""
        ...


class Door:
    """Lets in ``most`` connections, and then whoever can take the place of one without a request.

    If all have one, a few more come in. Their requests are answered if they are quick.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._inside: OrderedDict[Visitor, None] = OrderedDict()

    @classmethod
    def of(cls, config: Config) -> Door:
        """As ``limits.max_connections`` says, and the limit of open files allows."""
        files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            return cls(config.limits.max_connections)
        others = _OWN_FILES + RESERVED_CONNECTIONS
        others += _FILES_PER_MODEL * config.engine.max_loaded_models
        return cls(min(config.limits.max_connections, max(_FEWEST, files - others)))

    @property
    def is_full(self) -> bool:
        """Whether there are more than there should be."""
        return len(self._inside) > self.most

    def enters(self, connection: Visitor) -> bool:
        """Takes note of ``connection``; whether it is one more than there should be.

        Raises Unavailable if there is no room at all.
        """
        if len(self._inside) >= self.most and not self._has_made_room():
            if len(self._inside) >= self.most + RESERVED_CONNECTIONS:
                raise self.no_room()
            self._inside[connection] = None
            return True
        self._inside[connection] = None
        return False

    def leaves(self, connection: Visitor) -> None:
        """It is gone, or was never in."""
        self._inside.pop(connection, None)

    def no_room(self) -> Unavailable:
        """What a client is told whose request is not quick, or for which there is no room."""
        return Unavailable(
            f"this HTTP worker has the {self.most} connections that it may have "
            "(limits.max_connections); try again"
        )

    def _has_made_room(self) -> bool:
        """Looks from the oldest on, of which each is looked at once, until all were."""
        for _ in range(min(_LOOKED_AT, len(self._inside))):
            oldest = next(iter(self._inside))
            if oldest.leave_if_idle():
                del self._inside[oldest]
                return True
            self._inside.move_to_end(oldest)
        return False
