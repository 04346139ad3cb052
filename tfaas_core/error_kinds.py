"""Kinds of errors: how one process tells another which error it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfaas_core.errors import TfaasError

TOLD = ("status", "code", "retry_after_s")
"""What an error says of itself, and its class may say otherwise."""

ANSWERS = ("headers", "document")
"""The methods by which it is answered."""


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


def error_from(
    kind: str,
    message: str,
    details: dict[str, Any],
    told: Mapping[str, Any],
    answers: Mapping[str, dict[str, Any]],
    for_clients: str = "",
) -> TfaasError:
    """The error that another process reported, and has logged if its status is 500.

    ``kind`` is what ``code_of_kind`` gave there: of a plugin's class only what follows comes over.
    ``told`` are ``status``, ``code`` and ``retry_after_s``, as its class or its ``__init__`` gave
    them; ``answers`` is what ``headers`` and ``document`` answered there, if they are overridden.
    ``for_clients`` is what clients are told instead of the message.
    Other attributes and methods are lost, even if a process that is not to be trusted tells them.
    """
    cls = ERRORS_BY_CODE.get(kind, TfaasError)
    error = cls.__new__(cls, message)
    error.message, error.details, error.is_logged = message, details, True
    error.for_clients = for_clients
    for name in told.keys() & TOLD:
        setattr(error, name, told[name])
    for name in answers.keys() & ANSWERS:
        setattr(error, name, answers[name].copy)
    return error
