"""Target: which model, version and signature a request names, in its path and in its body."""

from __future__ import annotations

import msgspec

from tfaas_core.codec import Document
from tfaas_core.errors import DoesNotFit


class Target(msgspec.Struct, frozen=True):
    """What a request names: a model, and perhaps its version or its label, not both.

    ``signature`` is one of the model's; None: the one that answers if none is named.
    """

    model: str
    version: int | None = None
    label: str | None = None
    signature: str | None = None

    def of(self, document: Document) -> Target:
        """With what ``document`` adds; raises DoesNotFit if that names anything else."""
        if document.model not in (None, self.model):
            raise _two("model", f"model {self.model[:140]!r}", f"model {document.model[:140]!r}")
        if self.version is None and self.label is None:
            return Target(self.model, document.version, document.label, document.signature)
        path = _choice(self.version, self.label)
        if document.version not in (None, self.version):
            raise _two("version", path, _choice(document.version, None))
        if document.label not in (None, self.label):
            raise _two("label", path, _choice(None, document.label))
        return Target(self.model, self.version, self.label, document.signature)


def _choice(version: int | None, label: str | None) -> str:
    return f"version {version}" if label is None else f"label {label[:140]!r}"


def _two(field: str, path: str, body: str) -> DoesNotFit:
    return DoesNotFit(f"the path names {path}, the body {body}; name one of them", field=field)


def target_with(document: Document, target: Target | None) -> Target | Document:
    """What both name together; raises DoesNotFit if that is two versions, or two models."""
    if document.version is not None and document.label is not None:
        raise DoesNotFit(
            f"both {_choice(document.version, None)} and {_choice(None, document.label)} are "
            "sent, send one of them",
            field="label",
        )
    return document if target is None else target.of(document)
