"""The table of the OIDC guard, files of keys, and what takes effect at once."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tfaas_plugins.oidc_guard.guard import OidcGuard
from tfaas_plugins.oidc_guard.issuers import Issuers
from tfaas_plugins.oidc_guard.table import NAME, OidcGuardTable

from tests.certificates import Authority
from tests.issuer import AUDIENCE, Issuer, Signer
from tests.plugins.oidc_guard.guards import EVERYTHING, admitted, bearing, identity
from tfaas_core.config import Config, load_config
from tfaas_core.errors import ConfigError, Forbidden, Unauthorized, Unavailable
from tfaas_core.settings.checks import as_table

LAB = Signer()


def table(issuer: dict[str, Any], **more: Any) -> OidcGuardTable:
    entry = {"url": LAB.url, "audiences": [AUDIENCE], **issuer}
    return as_table({"issuers": {"lab": entry}, **more}, OidcGuardTable, "$.plugins.oidc_guard")


def configured(issuer: dict[str, Any], base_dir: Path, **more: Any) -> Config:
    config = load_config(environ={})
    sections = {NAME: table(issuer, **more)}
    return msgspec.structs.replace(config, base_dir=base_dir, sections=sections)


def rule(**conditions: Any) -> dict[str, Any]:
    return {"rules": {"one": {"rights": ["read"], **conditions}}}


@pytest.mark.parametrize(
    ("issuer", "sentence"),
    [
        ({"url": ""}, "length >= 1"),
        ({"audiences": []}, "length >= 1"),
        ({"audience": "x"}, "unknown key `audience`"),
        ({"algorithms": ["HS256"]}, "Invalid enum value 'HS256'"),
        ({"algorithms": ["none"]}, "Invalid enum value 'none'"),
        ({"algorithms": []}, "length >= 1"),
        ({"profile": "scitokens"}, "Expected one of `plain`, `wlcg`, got `scitokens`"),
        (rule(), "Expected one of `scopes`, `groups`, `subjects` and `claims`"),
        (rule(scope="x"), "unknown key `scope`"),
        (rule(scopes=["x"], rights=["write"]), "got `write`"),
        ({"rules": {"one": {"scopes": ["x"]}}}, "key `rights` is missing"),
        ({"profile": "wlcg", **rule(scopes=["storage.read"])}, "Expected a path in it"),
    ],
)
def test_a_wrong_issuer_names_its_key(issuer: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\$\.plugins\.oidc_guard\.issuers") as error:
        table(issuer)
    assert sentence in str(error.value)


def test_names_and_urls_of_issuers_are_apart() -> None:
    entry = {"url": LAB.url, "audiences": [AUDIENCE]}
    for issuers, sentence in (
        ({"a": entry, "b": entry}, "one table for each url, got `a` and `b`"),
        ({"a:b": entry}, "as an issuer's name: 'a:b'"),
    ):
        with pytest.raises(ValueError, match=sentence):
            as_table({"issuers": issuers}, OidcGuardTable, "$.plugins.oidc_guard")


@pytest.mark.parametrize(
    ("issuer", "sentence"),
    [
        ({"url": "http://lab.example"}, "does not begin with https://; `allow_http`"),
        ({"url": "http://lab.example", "allow_http": True}, "is of another machine"),
        ({"url": "http://127.0.0.1:1"}, "does not begin with https://; `allow_http`"),
        ({"url": "lab.example"}, "does not begin with https://"),
        ({"url": "https://a:b@lab.example"}, "is not like https://HOST/PATH"),
        ({"jwks": "http://lab.example/jwks"}, "does not begin with https://"),
        ({"jwks": "ftp://lab.example/jwks"}, "does not begin with https://"),
        ({"jwks": "missing.json"}, "missing.json cannot be read: No such file"),
        ({"jwks": "broken.json"}, "broken.json is of no use: Expecting value"),
        ({"jwks": "empty.json"}, "empty.json is of no use: none of its keys"),
        ({"jwks": "huge.json"}, "huge.json is of no use: it is longer than 524288 bytes"),
        ({"ca": "missing.pem"}, "missing.pem cannot be used: No such file"),
        ({"ca": "broken.json"}, "broken.json cannot be used: it has no certificate in PEM"),
    ],
)
def test_what_cannot_be_used_is_a_config_error(
    issuer: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text("")
    (tmp_path / "empty.json").write_text('{"keys": []}')
    (tmp_path / "huge.json").write_bytes(b" " * 600_000)
    with pytest.raises(ConfigError) as error:
        Issuers().of(configured(issuer, tmp_path))
    assert sentence in error.value.message
    assert "at `$.plugins.oidc_guard.issuers.lab." in error.value.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost:1", "http://[::1]:1"])
def test_this_machine_may_do_without_tls_if_it_is_told(url: str, tmp_path: Path) -> None:
    assert Issuers().of(configured({"url": url, "allow_http": True}, tmp_path))


def test_keys_in_a_file_are_there_at_once_and_read_again_for_another(tmp_path: Path) -> None:
    signer = Signer("anything, since nobody asks it")
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(signer.jwks))
    issuer = {"url": signer.url, "jwks": "jwks.json", "rules": EVERYTHING}
    guard = OidcGuard(Issuers().of(configured(issuer, tmp_path)))
    assert guard.admit(bearing(signer.token())) == "lab:alice"
    signer.rotate()
    file.write_text(json.dumps(signer.jwks))
    assert identity(guard, signer.token()) == "lab:alice"


def test_an_issuer_over_tls_must_show_a_certificate_that_is_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.signed("server"))
    with Issuer(tls=context) as issuer:
        entry = {"url": issuer.url, "rules": EVERYTHING}
        trusting = OidcGuard(Issuers().of(configured({**entry, "ca": "authority.pem"}, tmp_path)))
        assert identity(trusting, issuer.token()) == "lab:alice"
        strange = OidcGuard(Issuers().of(configured(entry, tmp_path)))
        with pytest.raises(Unavailable, match="cannot be had now"):
            identity(strange, issuer.token())
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_rules_change_at_once_and_keys_are_kept(tmp_path: Path) -> None:
    async def renewed() -> None:
        with Issuer() as issuer:
            entry = {"url": issuer.url, "allow_http": True}
            issuers = Issuers()
            reading = configured({**entry, **rule(subjects=["*"])}, tmp_path)
            guard = OidcGuard(issuers.of(reading), issuers.of)
            assert await admitted(guard, issuer.token(), "read") == "lab:alice"
            with pytest.raises(Forbidden):
                guard.admit(bearing(issuer.token(), "upload"))
            guard.renew(configured({**entry, "rules": EVERYTHING}, tmp_path))
            assert guard.admit(bearing(issuer.token(), "upload")) == "lab:alice"
            assert issuer.fetches() == 1
            with pytest.raises(ConfigError):
                guard.renew(configured({**entry, "ca": "missing"}, tmp_path))
            assert guard.admit(bearing(issuer.token(), "upload")) == "lab:alice"
            guard.renew(msgspec.structs.replace(reading, sections={NAME: OidcGuardTable()}))
            with pytest.raises(Unauthorized):
                guard.admit(bearing(issuer.token(), "read"))

    asyncio.run(renewed())
