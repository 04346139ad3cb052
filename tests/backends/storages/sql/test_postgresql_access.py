"""Who may use a database on PostgreSQL, and what is said of those who may not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tfaas_backends.storages.sql import make_sql_storage

from tests.backends.storages.sql.databases import account, opened, postgresql_url
from tests.docs.markdown import DOCS
from tfaas_core.errors import ConfigError, StorageUnavailable
from tfaas_core.storage import DefaultChoice, Storage
from tfaas_core.testing.postgresql import PASSWORD, USER
from tfaas_core.testing.storage_processes import fault_of, newest, upload

pytestmark = pytest.mark.usefixtures("postgresql")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return postgresql_url(tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://tfaas:top@s3cret@127.0.0.1:1/tfaas",
        "postgresql:///tfaas:s3cret@127.0.0.1:1/tfaas",
        "postgresql://dom/tfaas:s3cret@127.0.0.1:1/tfaas",
    ],
)
def test_a_password_that_ends_up_elsewhere_in_the_url_is_not_shown(
    tmp_path: Path, wrong: str
) -> None:
    with pytest.raises(ConfigError, match=r"write `@` in it as %40") as caught:
        opened(wrong, tmp_path)
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        "//me:s3@127.0.0.1:1?s3cret=x@127.0.0.1/tfaas",
        "//me@127.0.0.1:1/tfaas?connect_timeout=1&connect_timeout=s3cret",
        "//me@127.0.0.1:1/tfaas?row_factory=s3cret",
    ],
)
def test_what_is_no_parameter_of_a_url_is_not_shown(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"no parameter of PostgreSQL's; write `\?`") as caught:
        opened(f"postgresql:{wrong}", tmp_path)
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://host=127.0.0.1 password=s3cret",
        "postgresql://127.0.0.1:1/dbname=tfaas password=s3cret",
        "postgresql:me:s3cret@127.0.0.1:1/tfaas",
        "postgresql://me:s3cret@127.0.0.1:70000/tfaas",
        "postgresql://me:s3cret@127.0.0.1:1/tfaas?host=one:2&host=two:s3cret",
        "host=127.0.0.1 password=s3cret",
    ],
)
def test_what_is_no_url_is_one_line_without_a_word_of_it(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"- at `\$\.storage\.url`$") as caught:
        opened(wrong, tmp_path)
    assert "s3cret" not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "channel_binding",
        "connect_timeout",
        "gssencmode",
        "hostaddr",
        "keepalives_idle",
        "load_balance_hosts",
        "port",
        "require_auth",
        "service",
        "ssl_min_protocol_version",
        "sslmode",
        "target_session_attrs",
        "tcp_user_timeout",
    ],
)
def test_a_value_that_no_parameter_has_is_not_shown(url: str, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(f"{url}?application_name=s3cret-too&{name}=s3cret", tmp_path)
    assert caught.value.message == (
        f"PostgreSQL does not take the value of the parameter `{name}`; correct it"
        " - at `$.storage.url`"
    )


@pytest.mark.parametrize("name", ["password", "client_encoding", "sslcert", "host"])
def test_no_message_quotes_the_value_of_a_parameter(url: str, tmp_path: Path, name: str) -> None:
    told = f"{name}=s3cret&sslmode=require" if name == "sslcert" else f"{name}=s3cret"
    storage = make_sql_storage({"url": f"{url}?{told}"}, tmp_path)
    with pytest.raises(StorageUnavailable, match=r"reaching .* failed: ") as caught:
        storage.open()
    storage.close()
    assert "s3cret" not in caught.value.message


def test_parameters_of_libpq_are_taken(url: str, tmp_path: Path) -> None:
    told = "connect_timeout=5&keepalives_idle=7&sslmode=prefer&target_session_attrs=read-write"
    opened(f"{url}?{told}&hostaddr=127.0.0.1&gssencmode=disable", tmp_path).close()


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        (PASSWORD, "another-s3cret", "password authentication failed"),
        ("/test_", "/none_", "does not exist"),
    ],
)
def test_a_wrong_url_is_one_line_without_the_password(
    url: str, tmp_path: Path, right: str, wrong: str, why: str
) -> None:
    storage = make_sql_storage({"url": url.replace(right, wrong)}, tmp_path)
    with pytest.raises((StorageUnavailable, ConfigError), match=why) as caught:
        storage.open()
    storage.close()
    message = caught.value.message
    assert f"postgresql://{USER}@127.0.0.1" in message
    assert message.endswith("- at `$.storage.url`")
    assert "s3cret" not in message
    assert "\n" not in message


@pytest.fixture(params=["setting", "role"])
def read_only_url(request: pytest.FixtureRequest, url: str, storage: Storage) -> Iterator[str]:
    """The URL of a database with a schema that cannot be changed by the one who connects."""
    if request.param == "setting":
        yield f"{url}?options=-c%20default_transaction_read_only%3Don"
        return
    with account(url, "reader", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader") as theirs:
        yield theirs


def test_a_read_only_database_serves_and_refuses_changes(
    storage: Storage, read_only_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = upload(storage, "vk")
    reading = opened(read_only_url, tmp_path / "reader")
    assert "its models are served, none can be changed" in caplog.text
    reading.sweep()
    assert newest(reading, "vk") == stored
    assert fault_of(reading, stored) is None
    seen = reading.revision()
    assert reading.wait_for_change(seen, 0.0) == seen
    for call in (
        reading.stage,
        lambda: reading.claim("vk").__enter__(),
        lambda: reading.choose_default(DefaultChoice("vk", "2026-01-01")),
    ):
        with pytest.raises(StorageUnavailable, match=r"read-only|lacks the rights") as caught:
            call()
        assert "no model can be changed in the database postgresql" in caught.value.message
    reading.close()


def test_the_rights_of_the_docs_will_do_and_those_that_lack_are_named(
    storage: Storage, url: str, tmp_path: Path
) -> None:
    upload(storage, "vk")
    on_tables, on_sequences = re.findall(r"^GRANT .*;$", (DOCS / "database.md").read_text(), re.M)
    with account(url, "serving", on_tables.replace("tfaas", "serving")) as theirs:
        serving = opened(theirs, tmp_path / "serving")
        for sequence in ("versions_id_seq", "files_id_seq"):
            with pytest.raises(StorageUnavailable, match=f"lacks the rights: .*{sequence}"):
                serving.stage()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(on_sequences.replace("tfaas", "serving").encode())
        assert upload(serving, "vk").version == 2
        serving.close()


def test_a_read_only_database_without_a_schema_is_a_wrong_configuration(
    url: str, tmp_path: Path
) -> None:
    read_only = f"{url}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(
        ConfigError, match="has no schema yet, and cannot be upgraded: it is read-only"
    ):
        opened(read_only, tmp_path)
