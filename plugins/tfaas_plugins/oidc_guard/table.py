"""OidcGuardTable: ``[plugins.oidc_guard]``, and the issuers and rules that it names."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from tfaas_core.route import Right
from tfaas_plugins.grants import ALL_MODELS

NAME = "oidc_guard"
PATH = f"$.plugins.{NAME}"

Algorithm: TypeAlias = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"
]
"""How a token may be signed: none of them takes a secret that the server shares."""

Seconds: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]

STORAGE = "storage."
"""How scopes of the WLCG profile begin that have a path."""

_ISSUER_NAME = re.compile("[A-Za-z0-9_.-]+")


class OidcRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tokens are good for that meet all of its conditions, of which it has one at least."""

    rights: tuple[Right, ...]
    models: tuple[str, ...] = ALL_MODELS
    """Patterns of whole names."""
    scopes: tuple[Text, ...] = ()
    """One of these is among the token's."""
    groups: tuple[Text, ...] = ()
    """Patterns, one of which fits one of the token's groups."""
    subjects: tuple[Text, ...] = ()
    """Patterns, one of which fits the token's ``sub``."""
    claims: dict[str, Text] = {}
    """Claims, each with a pattern that fits its value, or one of its values."""

    def __post_init__(self) -> None:
        if not (self.scopes or self.groups or self.subjects or self.claims):
            raise ValueError(
                "Expected one of `scopes`, `groups`, `subjects` and `claims`; "
                'subjects = ["*"] are all'
            )


class OidcIssuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody whose tokens are taken."""

    url: Text
    """What its tokens say in ``iss``, letter by letter."""
    audiences: Annotated[tuple[Text, ...], Meta(min_length=1)]
    """Names of this server, one of which the tokens say in ``aud``."""
    profile: Literal["plain", "wlcg"] = "plain"
    """What is meant by scopes and groups."""
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("RS256", "ES256")
    jwks: str = ""
    """The URL or the file of its keys; empty: where its discovery document says."""
    groups_claim: str = ""
    """Empty: "wlcg.groups" in that profile, and else "groups"."""
    ca: str = ""
    """A file or a folder of certificates that its own must be signed with; empty: the system's."""
    allow_http: bool = False
    """Whether URLs of this machine itself may be without TLS."""
    rules: dict[str, OidcRule] = {}
    """By their names. What several of them give is given together."""

    def __post_init__(self) -> None:
        for scope in (scope for rule in self.rules.values() for scope in rule.scopes):
            if self.profile == "wlcg" and lacks_path(scope):
                raise ValueError(f"Expected a path in it, like storage.read:/tfaas, got {scope!r}")

    @property
    def groups_in(self) -> str:
        """The claim that lists groups."""
        return self.groups_claim or ("wlcg.groups" if self.profile == "wlcg" else "groups")


class OidcGuardTable(Struct, frozen=True):
    """``[plugins.oidc_guard]``: whose tokens are taken, and for what."""

    issuers: dict[str, OidcIssuer] = {}
    """Names, each with a table: of url, audiences, rules, and perhaps profile, algorithms, jwks,
    groups_claim, ca and allow_http. None: no guard."""
    leeway_s: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    """How far the clocks of issuers may be off."""
    refresh_s: Seconds = 600.0
    """How old an issuer's keys may be before they are fetched again."""
    timeout_s: Seconds = 5.0
    """How long fetching them may take."""

    def __post_init__(self) -> None:
        first: dict[str, str] = {}
        for name, issuer in self.issuers.items():
            if _ISSUER_NAME.fullmatch(name) is None:
                raise ValueError(f"Expected letters, digits and ._- as an issuer's name: {name!r}")
            if (other := first.setdefault(issuer.url, name)) != name:
                raise ValueError(f"Expected one table for each url, got `{other}` and `{name}`")


def lacks_path(scope: str) -> bool:
    """Whether the WLCG profile has a token with it refused."""
    return scope.startswith(STORAGE) and not scope.partition(":")[2].startswith("/")
