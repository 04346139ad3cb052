"""EarlyBinding: a large body that is read, and bound, in one go of a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tfaas_core.codec import Codec, Document
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Bound

LARGE_BODY_BYTES = 1 << 15
"""A larger body is read in a thread, so that the event loop goes on with other clients, unless its
codec takes little time."""


class EarlyBinding(msgspec.Struct, frozen=True):
    """What came of a document that was bound for ``version``, which may not be the live one any
    more; ``bound`` is an error if it does not fit. Without a version, it was not bound."""

    document: Document
    version: ModelVersion | None = None
    bound: Bound | TfaasError | None = None

    def bound_for(self, version: ModelVersion) -> Bound | None:
        """What it is bound to, if that was for ``version``.

        Raises TfaasError if it does not fit.
        """
        if self.version is None or self.version.key != version.key:
            return None
        if isinstance(self.bound, TfaasError):
            raise self.bound
        return self.bound


def read_at_once(codec: Codec[Any], body: bytes, head: Head) -> Document | None:
    """What ``codec`` reads in the event loop; None: it is to be read in a thread.

    Raises what the codec raises.
    """
    if len(body) > LARGE_BODY_BYTES:
        return codec.parse_at_once(body, head)
    document: Document = codec.parse(body, head)
    return document


def read_early(
    codec: Codec[Any],
    body: bytes,
    head: Head,
    look_up: Callable[[Document], ModelVersion] | None,
) -> EarlyBinding:
    """Has ``codec`` read ``body``, and bind it for what ``look_up`` finds, if that is there.

    Raises what the codec raises of the body. What is wrong with what the document names, it leaves
    to whoever looks that up anew.
    """
    document = codec.parse(body, head)
    if look_up is None:
        return EarlyBinding(document)
    try:
        version = look_up(document)
    except TfaasError:
        return EarlyBinding(document)
    try:
        return EarlyBinding(document, version, codec.bind(document, version))
    except TfaasError as error:
        return EarlyBinding(document, version, error)
