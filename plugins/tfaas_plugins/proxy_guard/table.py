"""ProxyGuardTable: ``[plugins.proxy_guard]``, and the rules that it names."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from tfaas_core.route import Right
from tfaas_plugins.grants import ALL_MODELS

NAME = "proxy_guard"
PATH = f"$.plugins.{NAME}"

Text: TypeAlias = Annotated[str, Meta(min_length=1)]


class ProxyRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What those may do who meet both of its conditions, of which it has one at least."""

    rights: tuple[Right, ...]
    models: tuple[str, ...] = ALL_MODELS
    """Patterns of whole names."""
    subjects: tuple[Text, ...] = ()
    """Patterns, one of which fits the subject that the proxy tells."""
    fqans: tuple[Text, ...] = ()
    """Patterns, one of which fits one of the FQANs that the proxy tells."""

    def __post_init__(self) -> None:
        if not (self.subjects or self.fqans):
            raise ValueError('Expected `subjects` or `fqans`; subjects = ["*"] are all')


class ProxyGuardTable(Struct, frozen=True):
    """``[plugins.proxy_guard]``: who may ask, as the proxies of ``server.proxies`` know them."""

    subject_header: str = ""
    """The header in which these proxies tell the subject of a client's certificate; empty: no
    guard."""
    fqan_header: str = ""
    """The one in which they tell its VOMS FQANs, with commas between them; empty: none."""
    rules: dict[str, ProxyRule] = {}
    """Names, each with a table: of subjects, fqans, rights and models."""

    def __post_init__(self) -> None:
        if not self.subject_header and (self.rules or self.fqan_header):
            raise ValueError("Expected `subject_header` beside it")
