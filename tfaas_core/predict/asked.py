"""Asked: what a request asks of one version, as tensors; and what it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, Bound, conform, runs_whole


class Asked(msgspec.Struct, frozen=True):
    """``inputs`` are what ``document`` was bound to, in the order of the version's signature."""

    codec: Codec[Any]
    document: Document
    version: ModelVersion
    bound: Bound
    inputs: list[Array]
    whole: bool
    """Whether it shares no run; see ``Engine.run``."""

    @classmethod
    def of(
        cls,
        codec: Codec[Any],
        document: Document,
        version: ModelVersion,
        bound: Bound,
        max_rows: int,
    ) -> Asked:
        """Raises DoesNotFit if the tensors are not the version's, TooLarge beyond the rows."""
        inputs = conform(version.signature, bound)
        if bound.rows > max_rows:
            raise TooLarge(
                f"{bound.rows} rows are more than the {max_rows} that may ever wait for a "
                "model (engine.max_queue_rows); send fewer at a time",
                expected=max_rows,
                got=bound.rows,
            )
        return cls(codec, document, version, bound, inputs, runs_whole(version.signature, bound))

    def answer(self, outputs: Sequence[Array], answering: Codec[Any] | None = None) -> Encoded:
        """The version's ``outputs`` for these inputs, as the codec, or ``answering``, has them."""
        specs = self.version.signature.outputs
        named = {spec.name: output for spec, output in zip(specs, outputs, strict=True)}
        if answering is None or answering is self.codec:
            return self.codec.encode(named, self.bound, self.document, self.version)
        return answering.encode_other(named, self.bound, self.version)
