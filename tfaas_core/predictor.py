"""Predictor: one predict call, top to bottom."""

from __future__ import annotations

import asyncio
from typing import Any

from tfaas_core.catalog import Catalog
from tfaas_core.codec import Codec, Encoded
from tfaas_core.engine.base import Engine
from tfaas_core.errors import TooLarge
from tfaas_core.tensors import conform

LARGE_BODY_BYTES = 1 << 20
"""A larger body is read in a thread, so that the event loop goes on with other clients."""


class Predictor:
    """Takes a request's bytes to a model, and its outputs back to bytes."""

    def __init__(self, catalog: Catalog, engine: Engine, max_rows: int) -> None:
        self._catalog = catalog
        self._engine = engine
        self._max_rows = max_rows

    async def predict(self, codec: Codec[Any], body: bytes, content_type: str) -> Encoded:
        """The answer to ``body``; raises TfaasError where there is none."""
        is_large = len(body) > LARGE_BODY_BYTES
        if is_large:
            document = await asyncio.to_thread(codec.parse, body, content_type)
        else:
            document = codec.parse(body, content_type)
        version = self._catalog.get(document.model)
        if is_large or codec.is_heavy(document):
            bound = await asyncio.to_thread(codec.bind, document, version)
        else:
            bound = codec.bind(document, version)
        inputs = conform(version.signature, bound)
        if bound.rows > self._max_rows:
            raise TooLarge(
                f"{bound.rows} rows are more than the {self._max_rows} that may ever wait for a "
                "model (engine.max_queue_rows); send fewer at a time",
                expected=self._max_rows,
                got=bound.rows,
            )
        outputs = await self._engine.run(version, inputs, bound.rows)
        named = {
            spec.name: output
            for spec, output in zip(version.signature.outputs, outputs, strict=True)
        }
        return codec.encode(named, bound, document, version)
