"""What the documentation says, compared with the code."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pluggy
import pytest

from tests.docs.markdown import (
    DOCS,
    PAGES,
    ROOT,
    anchors,
    blocks,
    links,
    prose,
    rows,
    section,
    words,
)
from tfaas_core import hookspecs
from tfaas_core.cli.group import tfaas
from tfaas_core.config import load_config
from tfaas_core.error_kinds import ERRORS_BY_CODE
from tfaas_core.errors import StartupError
from tfaas_core.host import Host
from tfaas_core.models.params import Params
from tfaas_core.plugins import BUILTIN_PLUGINS
from tfaas_core.testing.models import model_version
from tfaas_core.wiring.composition import Composition

COMMAND_LINE = DOCS / "command-line.md"

HOOKS = DOCS / "hooks.md"

HTTP_API = DOCS / "http-api.md"

RUNNING = DOCS / "running.md"

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


# Hooks.


def hooks() -> dict[str, str]:
    """The signature of each hook, by name."""
    tree = ast.parse(Path(hookspecs.__file__).read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: signature(node) for node in found}


def signature(node: ast.FunctionDef) -> str:
    bare = ast.FunctionDef(node.name, node.args, [ast.Expr(ast.Constant(...))], [], node.returns)
    return ast.unparse(ast.fix_missing_locations(bare))


def test_each_hook_is_documented_with_its_exact_signature() -> None:
    documented = {}
    for block in blocks(HOOKS):
        if block.language == "python" and not block.file:
            (node,) = ast.parse(block.text).body
            assert isinstance(node, ast.FunctionDef)
            documented[node.name] = signature(node)
            under = HOOKS.read_text().split(f"### `{node.name}`\n")[1].lstrip()
            assert under.startswith(f"```python\n{block.text}")
    assert documented == hooks()


def test_each_hook_is_implemented_by_a_built_in_plugin_or_an_example() -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for module in BUILTIN_PLUGINS:
        manager.register(importlib.import_module(module))
    unused = {name for name in hooks() if not getattr(manager.hook, name).get_hookimpls()}
    examples = "".join(block.text for block in blocks(HOOKS) if block.file)
    assert {name for name in unused if f"def {name}(" not in examples} == set()


# The HTTP API.


def test_each_route_is_documented_and_each_documented_one_exists() -> None:
    routes = Host.at_rest(Composition.of(load_config(environ={}))).routes()
    expected = {(method, route.path) for route in routes for method in route.methods}
    found = {(words(row[0])[0], words(row[1])[0]) for row in rows(section(HTTP_API, "Endpoints"))}
    assert found == expected


def test_each_error_code_is_documented_with_its_status() -> None:
    expected = {
        (str(error.status), code)
        for code, error in ERRORS_BY_CODE.items()
        if not issubclass(error, StartupError)
    }
    documented = [
        (row[0], words(row[1])[0]) for row in rows(section(HTTP_API, "Errors")) if row[0].isdigit()
    ]
    assert sorted(documented) == sorted(expected)
    assert [status for status, _ in documented] == sorted(status for status, _ in documented)


def test_the_keys_of_a_models_record_are_documented() -> None:
    table = [row for row in rows(section(HTTP_API, "Upload")) if len(row) == 2]
    documented = {word for row in table for word in words(row[0])}
    assert documented == model_version().document().keys()


def test_each_documented_field_of_params_is_read_in_all_its_spellings() -> None:
    plain = Params.of({})
    changed = set()
    values: dict[str, Any] = {
        "features": ["x"],
        "batch": {"merge": True},
        "warmup": "none",
        "nan": "accept",
        "instances": "auto",
        "threads": 2,
        "shared_rows": 2,
    }
    for name, meaning in rows(section(HTTP_API, "`params.json`")):
        also = meaning.partition("Also spelt")[2]
        for spelling in [*words(name), *words(also)]:
            read = Params.of({spelling: values.get(spelling, "x")})
            fields = [f for f in Params.__struct_fields__ if getattr(read, f) != getattr(plain, f)]
            assert len(fields) == 2, f"{spelling} is read as {fields}"
            changed.update(fields)
    both = Params.of({"input_node": "x", "input_name": "y", "output_node": "x", "output_name": "y"})
    changed |= {field for field in ("input_names", "output_names") if getattr(both, field)}
    assert changed == set(Params.__struct_fields__)


# The command line.


def test_the_help_of_each_command_is_documented() -> None:
    shown = {block.text.strip() for block in blocks(COMMAND_LINE) if block.language == "sh"}
    names = [name for name, command in tfaas.commands.items() if not command.hidden]
    expected = ["tfaas --help", *(f"tfaas {name} --help" for name in names)]
    assert [line for line in expected if line not in shown] == []
    assert isinstance(tfaas, click.Group)


# Names of files and what is in them.


def mentions() -> Iterator[tuple[Path, list[str]]]:
    """The rows of all tables in which code of a file is named after the file."""
    for page in PAGES:
        for row in rows(page.read_text(encoding="utf-8")):
            for cell in row:
                if (named := words(cell)) and named[0].endswith(".py"):
                    yield page, named


def definitions(file: Path) -> set[str]:
    """The names that a module defines, and its classes' methods as ``Class.method``."""
    found = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            found |= {ast.unparse(target) for target in node.targets}
        elif isinstance(node, FUNCTION | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [
                n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            found |= {f"{node.name}.{method.name}" for method in methods}
    return found


def test_files_and_functions_that_tables_name_exist() -> None:
    found = list(mentions())
    assert len(found) > 30
    for page, (file, *names) in found:
        assert names, f"{page.name} names {file}, but nothing in it"
        missing = set(names) - definitions(ROOT / file)
        assert not missing, f"{page.name}: {file} has no {missing}"


def test_the_fixed_limits_are_the_codes() -> None:
    table = [row for row in rows(section(RUNNING, "Limits")) if row[1].isdigit()]
    assert table
    for what, limit, where in table:
        file, name = words(where)
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        assert getattr(module, name) == int(limit), what


def test_paths_that_the_docs_name_exist() -> None:
    rooms = r"(?:tfaas_core|plugins|backends|tests|benchmarks|docs|\.ci)/[\w./]*"
    for page in PAGES:
        for word in words(prose(page)):
            if re.fullmatch(rooms, word):
                assert (ROOT / word).exists(), f"{page.name} names {word}"


# Links.


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(file), f"{file.name} has no heading #{anchor}"


def test_the_readme_links_to_every_page() -> None:
    readme, *others = PAGES
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}
    assert [page.name for page in others if page not in linked] == []


def test_no_heading_of_a_page_stands_twice() -> None:
    for page in PAGES:
        headings = sorted(re.findall(r"^#+ (.+)$", prose(page), re.M))
        assert [a for a, b in pairwise(headings) if a == b] == [], page.name
