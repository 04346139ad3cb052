"""UsesDecoders: a codec, or anything else of an HTTP worker, that has something decoded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tfaas_core.decoding.decoder import Decoders


class UsesDecoders(ABC):
    """It decodes by itself, as long as nobody gives it decoders."""

    decoding: ClassVar[str]
    """What they do for it, a ``tfaas_core.decoding.serving.Decoding``, as ``module:function``."""

    decoding_shared_bytes: int
    """What a decoder may have to write at once."""

    decoding_memory_bytes: int
    """What a decoder may take, beyond its libraries."""

    @abstractmethod
    def use(self, decoders: Decoders) -> None:
        """Called in the event loop of an HTTP worker, before its first request."""
