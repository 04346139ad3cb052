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


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One stored version of one model: everything but its files.

    Written once, when the version is stored, and never changed. ``created`` is UTC, in the form
    that TFaaS clients know. ``mergeable`` says that rows of different requests may share a run
    without changing each other's answers, ``merge_reason`` how that is known, or why they may not.
    ``checksum`` is that of the artifact, see ``models.checksum``. ``warmup`` is the bundle's
    ``warmup.json``, if it had one.
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

    @cached_property
    def reference(self) -> str:
        """The model and its number, like ``vk/3``: what clients are told."""
        return f"{self.name}/{self.version}"

    @cached_property
    def key(self) -> str:
        """Names this version for ever; a number is used again once its model was deleted."""
        return f"{self.name}/{self.version} of {self.created}"

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
        if warnings := label_warnings(self.labels, signature):
            shown["warnings"] = warnings
        hidden = {spelling for spellings in NODE_FIELDS.values() for spelling in spellings}
        extra = {k: v for k, v in self.params.items() if k not in shown and k not in hidden}
        return shown | extra


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
