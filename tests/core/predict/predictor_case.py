"""A predictor whose codec and engine a test looks into."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.json.document import JsonDocument

from tfaas_core.codec import Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.prediction import Prediction
from tfaas_core.predict.predictor import (
    Predictor,
)
from tfaas_core.route import Head
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.storage import MODEL, Storage, removed
from tfaas_core.tensors import Array, Arrays, Bound
from tfaas_core.testing.models import model_version
from tfaas_core.visit import Timing, Visit

BODY = b'{"keys": ["a", "b"], "values": [10, 20]}'
FEATURES = {1: ["a", "b"], 0: ["b", "a"]}
"""The columns of odd versions, and of even ones."""


class HeavyCodec(JsonCodec):
    """JSON that is bound in a thread, as pictures are; ``meanwhile`` happens while it is."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] = lambda: None
        self.encoded_in: list[int] = []
        self.change: Callable[[Bound], Bound] = lambda bound: bound

    def is_heavy(self, document: JsonDocument, version: ModelVersion) -> bool:
        return True

    def bind(self, document: JsonDocument, version: ModelVersion) -> Bound:
        bound = super().bind(document, version)
        self.meanwhile()
        return self.change(bound)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        self.encoded_in.append(threading.get_ident())
        return super().encode_other(outputs, bound, version)


class FirstColumn:
    """An engine whose models answer the first column of each row; ``ran`` are their versions.

    Those of ``removed`` were removed before they could be loaded. Of those of ``replaced``, it says
    so, too, until it has heard ``untold`` times that the worker has looked.
    """

    takes_levels = False

    def __init__(self) -> None:
        self.removed: set[int] = set()
        self.replaced: set[int] = set()
        self.untold = 2
        self.ran: list[int] = []
        self.whole: list[bool] = []
        self.times = 1

    async def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
    ) -> list[Array]:
        if version.version in self.removed | self.replaced:
            raise removed(version)
        self.ran.append(version.version)
        self.whole.append(whole)
        return [np.repeat(inputs[0][:, :1], self.times, 1)]

    def looked_up(self, _model: str) -> None:
        self.untold -= 1
        if not self.untold:
            self.replaced = set()


class Case:
    """A predictor with what it asks."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.engine = FirstColumn()
        self.codec = HeavyCodec()
        self.catalog = Catalog(storage, "", lambda _version: None, self._make_ready)
        engine: Any = self.engine
        self.predictor = Predictor(self.catalog, engine, 100, InFlight(1 << 30))

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        """They always are."""

    def upload(self, name: str = "vk") -> None:
        """A version whose columns are in the other order than those of the one before."""
        model = self.storage.model(name)
        number = 1 if model is None else model.newest.version + 1
        record = model_version(name=name, version=0, params={"features": FEATURES[number % 2]})
        day = 1 if name == "vk" else 2
        record = msgspec.structs.replace(record, created=f"2026-01-{day:02} {number}")
        staging = self.storage.stage()
        (staging / MODEL).write_bytes(b"x")
        with self.storage.claim(name) as claim:
            self.storage.commit(claim, staging, record)

    async def switch(self) -> None:
        self.upload()
        await self.catalog.refresh("vk")

    async def predict(self, body: bytes = BODY, visit: Visit | None = None) -> Prediction:
        head = Head.of_type("application/json")
        return await self.predictor.predict(self.codec, body, head, visit=visit)
