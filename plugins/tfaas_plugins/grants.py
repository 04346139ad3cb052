"""Grants: what somebody may do, whichever guard knows him."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import cached_property

import msgspec

from tfaas_core.errors import Forbidden
from tfaas_core.route import Right

ALL_MODELS = ("*",)


class Grant(msgspec.Struct, frozen=True):
    """``rights``, for models whose whole name one of the patterns ``models`` fits."""

    rights: frozenset[Right]
    models: tuple[str, ...] = ALL_MODELS


class Grants:
    """All that ``identity``, whom messages call ``whom``, was granted.

    ``refusal``: what is raised else.
    """

    def __init__(
        self,
        identity: str,
        grants: Iterable[Grant],
        refusal: type[Forbidden] = Forbidden,
        whom: str = "",
    ) -> None:
        """``whom``: left out, it is the identity."""
        self._identity = identity
        self._whom = whom or repr(identity)
        self._grants = tuple(grants)
        self._refusal = refusal

    def check_right(self, right: Right) -> None:
        """Raises ``refusal``, which says which right is missing."""
        if right not in self._patterns:
            has = ", ".join(sorted(self._patterns)) or "none"
            raise self._refused(
                f"this takes the right '{right}', which {self._whom} lacks; it has: {has}", right
            )

    def check_model(self, model: str, right: Right) -> None:
        """Raises ``refusal`` unless ``right`` was granted for ``model``."""
        patterns = self._patterns.get(right)
        if patterns is None or not patterns.matches(model):
            listed = ", ".join(patterns.texts if patterns is not None else ()) or "none"
            raise self._refused(
                f"{self._whom} has the right '{right}' for other models alone: {listed}", right
            )

    def _refused(self, message: str, right: Right) -> Forbidden:
        refusal = self._refusal(message, right=right)
        refusal.identity = self._identity
        return refusal

    @cached_property
    def _patterns(self) -> dict[Right, Patterns]:
        """Of each right that there is."""
        models: dict[Right, list[str]] = {}
        for grant in self._grants:
            for right in grant.rights:
                models.setdefault(right, []).extend(grant.models)
        return {right: Patterns(texts) for right, texts in models.items()}


class Patterns:
    """Patterns of whole texts: ``*`` is any text, ``?`` one character, ``[ab]`` one of these.

    ``matches`` gives something true if one of them fits.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = tuple(texts)
        self.matches = re.compile("|".join(map(translate, texts)) or "(?!)").fullmatch
