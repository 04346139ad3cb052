"""The proxy guard does what every guard does, and believes nobody but the proxies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest
from tfaas_plugins.proxy_guard.guard import ProxyGuard
from tfaas_plugins.proxy_guard.table import NAME, ProxyGuardTable

from tfaas_core.config import load_config
from tfaas_core.errors import Forbidden
from tfaas_core.fields import Headers
from tfaas_core.guard import Asking, UnknownCredential
from tfaas_core.route import ClientAddress, Head, Right
from tfaas_core.settings.checks import as_table
from tfaas_core.testing.guard import (
    Admitted,
    AfterRenewal,
    GuardContract,
    Refused,
    asking_with,
    config_with,
)

ALICE = "CN=alice,OU=People,O=Lab"
ROBOT = "CN=nightly,OU=Robots,O=Lab"

TABLE = {
    "subject_header": "X-Client-DN",
    "fqan_header": "X-VOMS-FQAN",
    "rules": {
        "robots": {"subjects": ["CN=*,OU=Robots,O=Lab"], "rights": ["upload", "delete"]},
        "people": {
            "subjects": ["*,O=Lab"],
            "fqans": ["/cms", "/cms/*"],
            "rights": ["predict"],
            "models": ["top-*"],
        },
        "experts": {
            "subjects": ["*,O=Lab"],
            "fqans": ["/cms/Role=expert"],
            "rights": ["predict", "read"],
        },
    },
}

ONLY_ALICE = {
    "subject_header": "X-Client-DN",
    "rules": {"alice": {"subjects": [ALICE], "rights": ["predict"]}},
}


def table(document: Mapping[str, Any]) -> ProxyGuardTable:
    return as_table(document, ProxyGuardTable, "$.plugins.proxy_guard")


def made() -> ProxyGuard:
    return ProxyGuard(table(TABLE))


def told(subject: str, *fqans: str, right: Right = "predict", proxy: str = "10.0.0.1") -> Asking:
    """What is asked through a proxy that says this of the client."""
    headers = [("x-client-dn", subject), *(("x-voms-fqan", fqan) for fqan in fqans)]
    asking = asking_with(dict(headers), right)
    head = Head("POST", "/predict/json", headers=Headers(headers))
    client = ClientAddress("192.0.2.1", 40_000, proxy=proxy)
    return msgspec.structs.replace(asking, head=head, client=client)


class TestProxyGuard(GuardContract):
    make_guard = staticmethod(made)
    admitted: ClassVar[list[Admitted]] = [
        Admitted(told(ROBOT, right="upload"), ROBOT),
        Admitted(told(ALICE, "/cms"), ALICE, "top-quark"),
        Admitted(told(ALICE, "/atlas,/cms/Role=expert"), ALICE, "vk"),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 401),
        Refused(told(""), 401),
        Refused(told(ROBOT, right="upload", proxy=""), 401),
        Refused(told(ALICE), 403),
        Refused(told(ROBOT), 403),
        Refused(told(ALICE, "/cms"), 403, model="vk"),
    ]
    renewals: ClassVar[list[AfterRenewal]] = [
        AfterRenewal(
            config_with(proxy_guard=table(ONLY_ALICE)),
            admitted=[Admitted(told(ALICE), ALICE, "vk")],
            refused=[Refused(told(ROBOT, right="upload"), 403)],
        ),
        AfterRenewal(
            config_with(proxy_guard=ProxyGuardTable()),
            refused=[Refused(told(ALICE, "/cms"), 401)],
        ),
    ]


def may(asking: Asking, model: str = "top-1") -> bool:
    guard = made()
    try:
        guard.admit_to(asking, guard.admit(asking), model)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    "fqans",
    [
        "/cms",
        "/cms/Role=NULL",
        "/cms/Role=NULL/Capability=NULL",
        "/cms/Capability=NULL",
        "/cms/uscms",
        "/cms/Role=production/Capability=NULL",
        "/atlas, /cms",
        "/atlas,/cms,",
    ],
)
def test_an_fqan_fits_with_what_says_nothing_and_without(fqans: str) -> None:
    assert may(told(ALICE, fqans))


@pytest.mark.parametrize(
    "fqans", ["", ",", "/cmsx", "/CMS", "/atlas/cms", "cms", "x/cms", "/cms;/x"]
)
def test_another_fqan_fits_nothing(fqans: str) -> None:
    assert not may(told(ALICE, fqans))


def test_both_conditions_of_a_rule_must_hold() -> None:
    assert may(told(ALICE, "/cms/Role=expert"), "vk")
    assert not may(told("CN=eve,O=Elsewhere", "/cms/Role=expert"), "vk")


def test_what_is_sent_twice_may_be_the_clients_and_is_not_believed() -> None:
    assert not may(told(ALICE, "/atlas", "/cms"))
    twice = told(ALICE, "/cms")
    headers = Headers([*twice.head.headers.pairs, ("X-Client-DN", ROBOT)])
    asking = msgspec.structs.replace(twice, head=Head(headers=headers))
    with pytest.raises(UnknownCredential):
        made().admit(asking)


@pytest.mark.parametrize("subject", ["a\tb", "CN=x\x00", "\udcff", "x" * 5000])
def test_a_subject_that_fits_no_log_is_none(subject: str) -> None:
    with pytest.raises(UnknownCredential):
        made().admit(told(subject))


def test_without_a_header_for_them_fqans_are_not_heard() -> None:
    document = {key: value for key, value in TABLE.items() if key != "fqan_header"}
    with pytest.raises(Forbidden):
        ProxyGuard(table(document)).admit(told(ALICE, "/cms"))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"rules": {"x": {"subjects": ["*"], "rights": ["read"]}}}, "Expected `subject_header`"),
        ({"fqan_header": "X-FQAN"}, "Expected `subject_header`"),
        ({"subject_header": "X", "rules": {"x": {"rights": ["read"]}}}, "`subjects` or `fqans`"),
        ({"subject_header": "X", "rules": {"x": {"subjects": ["*"]}}}, "key `rights` is missing"),
        ({"subject_header": "X", "rules": {"x": {"subject": "*"}}}, "unknown key `subject`"),
    ],
)
def test_a_wrong_table_says_what_is_expected(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        table(document)


def test_rules_change_at_once_and_without_any_nobody_passes() -> None:
    guard = made()
    asking = told(ALICE, "/cms")
    assert guard.admit(asking) == ALICE
    for document, error in (({**TABLE, "rules": {}}, Forbidden), ({}, UnknownCredential)):
        sections = {NAME: table(document)}
        guard.renew(msgspec.structs.replace(load_config(environ={}), sections=sections))
        with pytest.raises(error):
            guard.admit(asking)
