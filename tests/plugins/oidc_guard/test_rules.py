"""What scopes, groups and claims of a token are good for."""

from __future__ import annotations

from typing import Any

import pytest
from tfaas_plugins.oidc_guard.guard import OidcGuard

from tests.issuer import Signer
from tests.plugins.oidc_guard.guards import bearing, guard_of
from tfaas_core.errors import Forbidden, Unauthorized
from tfaas_core.route import Right

LAB = Signer()
ANY = "https://wlcg.cern.ch/jwt/v1/any"


def may(guard: OidcGuard, right: Right, model: str = "vk", **claims: Any) -> bool:
    """Whether a token of these claims is good for ``right``, on ``model``."""
    asking = bearing(LAB.token(**claims), right)
    try:
        assert guard.admit(asking) == "lab:alice"
        guard.admit_to(asking, "lab:alice", model)
    except Forbidden:
        return False
    return True


def ruled(rights: list[str], **rule: Any) -> OidcGuard:
    return guard_of(LAB, rules={"one": {"rights": rights, **rule}})


def wlcg(**rules: Any) -> OidcGuard:
    return guard_of(LAB, profile="wlcg", rules=rules)


def in_wlcg(guard: OidcGuard, right: Right, model: str = "vk", **claims: Any) -> bool:
    return may(guard, right, model, **{"wlcg.ver": "1.0", **claims})


@pytest.mark.parametrize(
    ("rule", "fits", "does_not"),
    [
        ({"scopes": ["tfaas"]}, {"scope": "openid tfaas"}, {"scope": "tfaas.x xtfaas"}),
        ({"scopes": ["tfaas"]}, {"scope": ["openid", "tfaas"]}, {"scope": "TFAAS"}),
        ({"scopes": ["a", "b"]}, {"scope": "b"}, {"scope": 5}),
        ({"groups": ["/cms"]}, {"groups": ["/x", "/cms"]}, {"groups": ["/cms/top"]}),
        ({"groups": ["/cms/*"]}, {"groups": ["/cms/top"]}, {"groups": ["/cms"]}),
        ({"groups": ["/cms"]}, {"groups": "/cms"}, {"groups": {"/cms": 1}}),
        ({"groups": ["/cms"]}, {"groups": ["/cms", 5]}, {"wlcg.groups": ["/cms"]}),
        ({"subjects": ["al*"]}, {}, {"groups": ["x"], "sub": "alice", "_": "no"}),
        ({"claims": {"email": "*@cern.ch"}}, {"email": "a@cern.ch"}, {"email": "a@cern.ch.evil"}),
        ({"claims": {"mfa": "true"}}, {"mfa": True}, {"mfa": False}),
        ({"claims": {"level": "3"}}, {"level": 3}, {"level": [4]}),
        ({"claims": {"a.b": "x"}}, {"a.b": "x"}, {"a.b": "y", "a": {"b": "x"}}),
        ({"claims": {"a.b": "x"}}, {"a": {"b": ["y", "x"]}}, {"a": {"c": "x"}}),
        (
            {"groups": ["/cms"], "claims": {"mfa": "true"}},
            {"groups": ["/cms"], "mfa": True},
            {"groups": ["/cms"]},
        ),
    ],
)
def test_a_rule_holds_if_all_its_conditions_do(
    rule: dict[str, Any], fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    guard = ruled(["predict"], **rule)
    assert may(guard, "predict", **fits)
    assert not may(guard, "upload", **fits)
    if "_" not in does_not:
        assert not may(guard, "predict", **does_not)


def test_rules_add_up_and_none_is_no_right_at_all() -> None:
    guard = guard_of(
        LAB,
        rules={
            "people": {"groups": ["/cms"], "rights": ["predict"], "models": ["top-*"]},
            "experts": {"groups": ["/cms/ml"], "rights": ["predict", "upload"], "models": ["vk"]},
        },
    )
    both = {"groups": ["/cms", "/cms/ml"]}
    assert may(guard, "predict", "top-1", **both)
    assert may(guard, "predict", "vk", **both)
    assert may(guard, "upload", "vk", **both)
    assert not may(guard, "upload", "top-1", **both)
    assert not may(guard, "predict", "vk", groups=["/cms"])
    assert not may(guard, "predict", "top-1")


def test_another_claim_may_list_groups() -> None:
    guard = guard_of(LAB, groups_claim="roles", rules={"r": {"groups": ["ml"], "rights": ["read"]}})
    assert may(guard, "read", roles=["ml"])
    assert not may(guard, "read", groups=["ml"])


READ: dict[str, Any] = {"scopes": ["storage.read:/tfaas"], "rights": ["read"]}


@pytest.mark.parametrize(
    ("scope", "models"),
    [
        ("storage.read:/", {"vk", "top-1"}),
        ("storage.read:/tfaas", {"vk", "top-1"}),
        ("storage.read:/tfaas/", {"vk", "top-1"}),
        ("storage.read:/tfaas/vk", {"vk"}),
        ("storage.read:/tfaas/vk/", {"vk"}),
        ("storage.read:/tfaas/%76%6B", {"vk"}),
        ("storage.read:/tfaas/vk storage.read:/tfaas/top-1", {"vk", "top-1"}),
        ("openid storage.read:/tfaas/vk", {"vk"}),
        ("storage.read:/tfaas/*", set()),
        ("storage.read:/tfaas/[v]k", set()),
        ("storage.read:/tfaas/vk/1", set()),
        ("storage.read:/tfaasX", set()),
        ("storage.read:/tfaa", set()),
        ("storage.read:/TFAAS", set()),
        ("storage.read:/tfaas/../tfaas", set()),
        ("storage.read:/x/../tfaas", set()),
        ("storage.read:/x/%2E%2E/tfaas", set()),
        ("storage.read:/tfaas%2Fvk", set()),
        ("storage.read:/tfaas//vk", set()),
        ("storage.modify:/tfaas", set()),
        ("storage.stage:/tfaas", set()),
        ("storage.readX:/tfaas", set()),
    ],
)
def test_a_storage_scope_holds_for_its_path_and_all_below(scope: str, models: set[str]) -> None:
    guard = wlcg(readers=READ)
    assert {m for m in ("vk", "top-1") if in_wlcg(guard, "read", m, scope=scope)} == models


def test_a_model_that_a_scope_names_is_one_of_its_rule() -> None:
    guard = wlcg(readers={**READ, "models": ["top-*"]})
    assert in_wlcg(guard, "read", "top-1", scope="storage.read:/tfaas/top-1")
    assert not in_wlcg(guard, "read", "vk", scope="storage.read:/tfaas/vk")
    assert not in_wlcg(guard, "read", "top-2", scope="storage.read:/tfaas/top-1")


def test_to_modify_is_to_create_and_no_more() -> None:
    guard = wlcg(
        up={"scopes": ["storage.create:/tfaas"], "rights": ["upload"]},
        away={"scopes": ["storage.modify:/tfaas"], "rights": ["delete"]},
    )
    assert in_wlcg(guard, "upload", scope="storage.create:/tfaas")
    assert not in_wlcg(guard, "delete", scope="storage.create:/tfaas")
    assert in_wlcg(guard, "upload", scope="storage.modify:/tfaas/vk")
    assert in_wlcg(guard, "delete", scope="storage.modify:/tfaas/vk")


def test_other_scopes_are_words_in_wlcg_too() -> None:
    guard = wlcg(
        jobs={"scopes": ["compute.create"], "rights": ["predict"]},
        own={"scopes": ["tfaas.admin"], "rights": ["admin"]},
    )
    assert in_wlcg(guard, "predict", scope="compute.create")
    assert not in_wlcg(guard, "predict", scope="compute.create:/x")
    assert in_wlcg(guard, "admin", scope="tfaas.admin")


GROUPS: dict[str, Any] = {"people": {"groups": ["/cms"], "rights": ["predict"]}, "readers": READ}


@pytest.mark.parametrize(
    ("scope", "predicts"),
    [
        (None, True),
        ("openid profile", True),
        ("tfaas.read", True),
        ("storage.read:/elsewhere", False),
        ("compute.cancel", False),
        ("storage.read:/tfaas", False),
    ],
)
def test_capabilities_take_the_place_of_groups(scope: str | None, predicts: bool) -> None:
    claims: dict[str, Any] = {"wlcg.groups": ["/cms"], "scope": scope}
    assert in_wlcg(wlcg(**GROUPS), "predict", **claims) == predicts


def test_a_group_says_nothing_of_the_one_above_it() -> None:
    below: dict[str, Any] = {"wlcg.groups": ["/cms/uscms"]}
    assert not in_wlcg(wlcg(**GROUPS), "predict", **below)
    assert not in_wlcg(wlcg(**GROUPS), "predict", groups=["/cms"])


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"wlcg.ver": None}, "version 1 of the WLCG profile"),
        ({"wlcg.ver": "2.0"}, "version 1 of the WLCG profile"),
        ({"wlcg.ver": 1.0}, "version 1 of the WLCG profile"),
        ({"wlcg.ver": "1.0 "}, "version 1 of the WLCG profile"),
        ({"iat": None}, "does not say when it was issued"),
        ({"scope": "storage.read"}, "a storage scope without a path"),
        ({"scope": "storage.read:tfaas"}, "a storage scope without a path"),
        ({"scope": "openid storage.create:"}, "a storage scope without a path"),
    ],
)
def test_a_token_that_is_not_of_the_profile_is_refused(
    claims: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Unauthorized, match=sentence):
        in_wlcg(wlcg(**GROUPS), "predict", **claims)


@pytest.mark.parametrize("version", ["1.0", "1.2", "1.13"])
def test_versions_of_the_profile_and_its_audience_for_all_are_taken(version: str) -> None:
    claims: dict[str, Any] = {"wlcg.groups": ["/cms"], "aud": ANY, "wlcg.ver": version}
    assert in_wlcg(wlcg(**GROUPS), "predict", **claims)
