"""A stored version of a model, and what may name it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.label_count import label_warnings
from tfaas_core.models.params import NODE_FIELDS, Params
from tfaas_core.tensors import Signature

DEFAULT_SIGNATURE = "serving_default"
"""The signature of TensorFlow's that answers a request which names none."""

MOST_SIGNATURES = 64
"""Of one version, the chosen one included: more are not served. A frame has one byte for them."""

NAME_RULE = "letters, digits, '.', '_' and '-', starting with a letter or digit, 128 at most"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def is_name(name: str) -> bool:
    """Whether ``name`` may name a model."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str, what: str = "model") -> str:
    """``name``, if it may name a model, or a label; raises DoesNotFit if it may not."""
    if not is_name(name):
        raise DoesNotFit(
            f"{name[:140]!r} cannot name a {what}: a name is {NAME_RULE}",
            field="name" if what == "model" else what,
        )
    return name


class OtherSignature(msgspec.Struct, frozen=True, omit_defaults=True):
    """A further signature of a version, and whether rows of different requests may share its runs.

    ``merge_reason`` is as in ModelVersion.
    """

    signature: Signature
    mergeable: bool
    merge_reason: str = ""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One stored version of one model: everything but its files.

    Written once, when the version is stored, and never changed. ``created`` is UTC, in the form
    that TFaaS clients know. ``mergeable`` says that rows of different requests may share a run
    without changing each other's answers, ``merge_reason`` how that is known, or why they may not.
    ``checksum`` is that of the artifact, see ``models.checksum``. ``warmup`` is the bundle's
    ``warmup.json``, if it had one. ``signature`` is the one that the params or the file choose;
    ``others`` are the further ones that requests can name, ``signed`` gives the version with one
    of them in its place. ``declared`` are all that the file declares, also those that are not
    served, as Servable has them.
    """

    name: str
    version: int
    runtime: str
    model_file: str
    labels_file: str
    params: dict[str, Any]
    signature: Signature
    mergeable: bool
    merge_reason: str = ""
    labels: tuple[str, ...]
    created: str
    size_bytes: int
    checksum: str
    warmup: dict[str, Any] | None = None
    others: tuple[OtherSignature, ...] = ()
    declared: dict[str, Any] = {}

    @cached_property
    def place(self) -> int:
        """Which of the signatures ``signature`` is: 0, the chosen one, but of what ``signed`` gave.

        The others count from 1.
        """
        return 0

    @cached_property
    def chosen(self) -> ModelVersion:
        """The version with the chosen signature, of which ``signed`` gave this one."""
        return self

    @cached_property
    def all_signed(self) -> tuple[ModelVersion, ...]:
        """The version with each of its signatures, by their ``place``."""
        chosen = self.chosen
        return (chosen, *chosen._signed.values())

    @cached_property
    def signature_names(self) -> tuple[str, ...]:
        """Those that requests can name; of a model whose file has none, TensorFlow's default."""
        signatures = (self.chosen.signature, *(other.signature for other in self.others))
        return tuple(signature.name or DEFAULT_SIGNATURE for signature in signatures)

    def signed(self, name: str | None) -> ModelVersion:
        """The version, its ``signature`` and what becomes of rows being those of ``name``.

        None: the one that the params chose, ``serving_default``, or the only one. Raises
        DoesNotFit if there is no such signature, or several and none of these.
        """
        if self.chosen is not self:
            return self.chosen.signed(name)
        if name is None or name == self.signature_names[0]:
            if name is None and self._is_undecided:
                raise self._no_signature(f"model {self.name!r} has several signatures")
            return self
        signed = self._signed.get(name)
        if signed is None:
            raise self._no_signature(f"model {self.name!r} has no signature {name[:140]!r}")
        return signed

    @cached_property
    def _is_undecided(self) -> bool:
        is_named = self.signature_names[0] == DEFAULT_SIGNATURE
        params = self.params
        return bool(self.others) and not is_named and not Params.of(params).chooses_signature

    @cached_property
    def _signed(self) -> dict[str, ModelVersion]:
        # Made once: codecs keep what they worked out of a version for the same object.
        return {
            other.signature.name: self._with(place, other)
            for place, other in enumerate(self.others, 1)
        }

    def _with(self, place: int, other: OtherSignature) -> ModelVersion:
        signed = msgspec.structs.replace(
            self,
            signature=other.signature,
            mergeable=other.mergeable,
            merge_reason=other.merge_reason,
        )
        signed.__dict__["place"] = place
        signed.__dict__["chosen"] = self
        return signed

    def _no_signature(self, what: str) -> DoesNotFit:
        there = list(self.signature_names)
        shown = ", ".join(map(repr, there))
        return DoesNotFit(f"{what}; name one of {shown}", field="signature_name", expected=there)

    @cached_property
    def reference(self) -> str:
        """The model and its number, like ``vk/3``: what clients are told."""
        return f"{self.name}/{self.version}"

    @cached_property
    def key(self) -> str:
        """Names this version for ever; a number is used again once its model was deleted."""
        return f"{self.name}/{self.version} of {self.created}"

    @cached_property
    def notes(self) -> dict[Any, Any]:
        """What protocols have worked out of the version, for ``tfaas_core.notes.noted``."""
        return {}

    def document(self) -> dict[str, Any]:
        """The object that ``GET /models`` shows, its keys in the order clients know.

        It has ``warnings``, a list of sentences, only if there are any.
        """
        params, signature = Params.of(self.params), self.signature
        shown = {
            "name": self.name,
            "model": self.model_file,
            "labels": self.labels_file,
            "options": params.options,
            **params.shown_nodes(signature),
            "description": params.description,
            "timestamp": self.created,
            "version": self.version,
            "runtime": self.runtime,
            "signature": msgspec.to_builtins(signature),
            "size": self.size_bytes,
            "checksum": self.checksum,
            "batch": {
                "axis": str(signature.batch),
                "merge": self.mergeable,
                "reason": self.merge_reason,
            },
        }
        if self.others:
            shown["signatures"] = self._shown_signatures()
        if self.labels and (warnings := label_warnings(self.labels, signature)):
            shown["warnings"] = warnings
        hidden = {spelling for spellings in NODE_FIELDS.values() for spelling in spellings}
        extra = {k: v for k, v in self.params.items() if k not in shown and k not in hidden}
        return shown | extra

    def _shown_signatures(self) -> dict[str, Any]:
        return {
            name: {
                "signature": msgspec.to_builtins(version.signature),
                "batch": {
                    "axis": str(version.signature.batch),
                    "merge": version.mergeable,
                    "reason": version.merge_reason,
                },
            }
            for name, version in zip(self.signature_names, self.all_signed, strict=True)
        }


_TIME = "%Y-%m-%d %H:%M:%S.%f +0000 UTC"


def now_text() -> str:
    """The present time, UTC, as TFaaS writes it: ``2021-10-22 14:04:52.890903 +0000 UTC``."""
    return datetime.now(UTC).strftime(_TIME)


def now_or_right_after(moment: str) -> str:
    """The present time; or, if it is not later than ``moment``, the microsecond after that.

    If that is not written as TFaaS does, ``moment`` itself.
    """
    try:
        after = (datetime.strptime(moment, _TIME) + timedelta(microseconds=1)).strftime(_TIME)
    except (ValueError, OverflowError):
        after = moment
    return max(now_text(), after)
