"""A plugin whose codec does what a request asks of it: what a flaw of a codec would let in."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tests.core.sandbox.attack import Targets
from tests.core.sandbox.worker_attacks import worker_outcome
from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import DoesNotFit
from tfaas_core.hookspecs import hookimpl
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound


class Orders(msgspec.Struct):
    """What is to be tried, and on what."""

    names: list[str]
    targets: Targets


class HostileCodec(Codec[Document]):
    """Tries what it is sent, and tells what became of it."""

    name = "hostile"
    media_types = ("application/x-hostile",)

    def parse(self, body: bytes, head: Head) -> Document:
        orders = msgspec.json.decode(body, type=Orders)
        outcomes = {name: worker_outcome(name, orders.targets) for name in orders.names}
        raise DoesNotFit("these are the outcomes", got=outcomes)

    def bind(self, document: Document, version: ModelVersion) -> Bound:
        raise NotImplementedError

    def encode(
        self, outputs: Arrays, bound: Bound, document: Document, version: ModelVersion
    ) -> Encoded:
        raise NotImplementedError


@hookimpl
def tfaas_register_codecs() -> Iterable[HostileCodec]:
    return [HostileCodec()]
