"""Kinds of errors: how one process tells another which error it is."""

from __future__ import annotations

from typing import Any

from tfaas_core.errors import TfaasError


def _tree(root: type[TfaasError]) -> dict[str, type[TfaasError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        if child.__module__ == root.__module__:
            found.update(_tree(child))
    return found


ERRORS_BY_CODE: dict[str, type[TfaasError]] = _tree(TfaasError)
"""Every class of the tree under its code. Those of plugins are not among them."""


def code_of_kind(error: TfaasError) -> str:
    """The code of the class of the tree that ``error`` is of, or that its class stems from."""
    ours = set(ERRORS_BY_CODE.values())
    return next(cls for cls in type(error).__mro__ if cls in ours).code


def error_from(kind: str, message: str, details: dict[str, Any], **told: Any) -> TfaasError:
    """The error that another process reported, ``kind`` being what ``code_of_kind`` gave there.

    ``told`` are the attributes that its class, perhaps a plugin's, or its ``__init__`` gave it.
    """
    cls = ERRORS_BY_CODE.get(kind, TfaasError)
    error = cls.__new__(cls, message)
    error.message, error.details = message, details
    for name, value in told.items():
        setattr(error, name, value)
    return error
