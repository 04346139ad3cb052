"""What the documentation says of the configuration, compared with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tfaas_backends.storages.filesystem import FilesystemTable
from tfaas_backends.storages.sql import SqlTable

from tests.docs.markdown import (
    DOCS,
    PAGES,
    blocks,
    prose,
    rows,
    section,
    words,
)
from tfaas_core.config import Tables, load_config
from tfaas_core.plugins import load_plugins
from tfaas_core.settings import meanings

CONFIGURATION = DOCS / "configuration.md"


def tables() -> dict[str, type[msgspec.Struct]]:
    """The struct behind each table of keys, by its heading."""
    found = {f"`[{f.encode_name}]`": f.type for f in msgspec.structs.fields(Tables)}
    engines = load_plugins().engines()
    found |= {f"`[engine.{k}]`": e.table for k, e in engines.items() if e.table is not None}
    kinds: dict[str, type[msgspec.Struct]] = {"filesystem": FilesystemTable, "sql": SqlTable}
    found |= {f"`[plugins.{name}]`": table for name, table in load_plugins().sections().items()}
    return found | {f'With `kind = "{kind}"`': table for kind, table in kinds.items()}


def keys(struct: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """The keys of a table, each with its type and default as the docs have them."""
    return {key.name: (key.type, key.default) for key in meanings.keys(struct)}


@pytest.mark.parametrize("heading", tables())
def test_each_configuration_key_is_documented_with_its_type_and_default(heading: str) -> None:
    documented = {}
    for key, kind, default, meaning in rows(section(CONFIGURATION, heading)):
        value = tomllib.loads(f"value = {words(default)[0]}")["value"]
        documented[words(key)[0]] = (kind.replace("`", ""), value)
        assert meaning.endswith(".")
    assert documented == keys(tables()[heading])


def test_each_table_of_keys_that_is_documented_exists() -> None:
    headings = re.findall(r"^##+ (.*`.*)$", prose(CONFIGURATION), re.M)
    assert headings
    assert set(headings) == tables().keys()


def test_configuration_keys_that_the_docs_name_exist() -> None:
    names = {h: "storage" if h.startswith("With") else h.strip("`[]") for h in tables()}
    known = {f"{name}.{key}" for heading, name in names.items() for key in keys(tables()[heading])}
    sections = "|".join(field.encode_name for field in msgspec.structs.fields(Tables))
    for page in PAGES:
        for word in words(prose(page)):
            named = re.search(rf"(?:^|\s)((?:{sections})\.[a-z_]+)(?:$|[\s=])", word)
            if named and not named[1].endswith((".py", ".config")):
                assert named[1] in known, f"{page.name} names {named[1]}"


def test_the_toml_examples_are_configurations(tmp_path: Path) -> None:
    examples = [block for block in blocks(CONFIGURATION) if block.language == "toml"]
    assert examples
    for block in examples:
        (tmp_path / "tfaas.toml").write_text(block.text)
        load_config(tmp_path / "tfaas.toml", environ={})
