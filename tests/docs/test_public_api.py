"""The page of what plugins may rely on, compared with what there is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module

import pytest

import tfaas_core
from tests.docs.markdown import DOCS, PAGES, blocks, prose, rows, section, words
from tfaas_core.config import load_config
from tfaas_core.errors import StartupError, TfaasError
from tfaas_core.host import Host
from tfaas_core.wiring.composition import Composition

PAGE = DOCS / "public-api.md"
ERRORS = "tfaas_core.errors"
TESTING = "tfaas_core.testing"


def homes() -> list[tuple[str, str]]:
    """Each name that the page says is in tfaas_core, and its home."""
    names, _, _ = prose(PAGE).partition("\n## Host\n")
    tables, errors = names.split("\n### Errors\n")
    listed = [(words(name)[0], words(home)[0]) for name, home, _ in rows(tables)]
    return [*listed, *((words(name)[0], ERRORS) for name, _, _ in rows(errors))]


def by_module() -> dict[str, list[str]]:
    """The names that are public in their modules alone, by module."""
    table = rows(section(PAGE, "By module"))
    return {words(module)[0]: words(names) for module, names in table}


def test_the_page_lists_what_can_be_imported_from_tfaas_core() -> None:
    assert sorted(name for name, _ in homes()) == tfaas_core.__all__


@pytest.mark.parametrize(("name", "home"), homes())
def test_each_name_is_in_its_home(name: str, home: str) -> None:
    assert getattr(import_module(home), name) is getattr(tfaas_core, name)
    assert tfaas_core._homes[name] == home


@pytest.mark.parametrize(("module", "names"), by_module().items())
def test_modules_have_the_other_names(module: str, names: list[str]) -> None:
    assert names
    assert set(names) <= vars(import_module(module)).keys()
    assert set(names).isdisjoint(tfaas_core.__all__)


def test_each_error_is_answered_as_the_page_says() -> None:
    for name, status, _ in rows(section(PAGE, "Errors")):
        error = getattr(tfaas_core, words(name)[0])
        assert issubclass(error, TfaasError)
        expected = "never" if issubclass(error, StartupError) else str(error.status)
        assert status.partition(",")[0] == expected, name


def test_a_host_has_its_public_attributes() -> None:
    host = Host.at_rest(Composition.of(load_config(environ={})))
    table = rows(section(PAGE, "Host"))
    assert table
    for attribute, _ in table:
        name, _, parameters = words(attribute)[0].partition("(")
        value = getattr(host, name)
        assert callable(value) == bool(parameters), name
        if parameters:
            code = value.__func__.__code__
            taken = code.co_varnames[1 : code.co_argcount]
            assert parameters == f"{', '.join(taken)})", name


# What the examples import is public.


def sources() -> Iterator[tuple[str, str]]:
    for file in sorted((DOCS / "examples").rglob("*.py")):
        yield str(file.relative_to(DOCS)), file.read_text(encoding="utf-8")
    for page in PAGES:
        for block in blocks(page):
            if block.file.endswith(".py"):
                yield str(block), block.text


def imported(source: str) -> Iterator[tuple[str, str]]:
    """The names that come from tfaas_core, each with the module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfaas_core"):
            yield from ((alias.name, node.module or "") for alias in node.names)


def test_the_examples_import_nothing_that_is_not_public() -> None:
    public = {*homes(), *((name, "tfaas_core") for name in tfaas_core.__all__)}
    public |= {(name, module) for module, names in by_module().items() for name in names}
    found = list(sources())
    assert len(found) > 10
    for where, source in found:
        others = {pair for pair in imported(source) if not pair[1].startswith(TESTING)}
        assert others <= public, where


def test_what_they_import_for_tests_is_on_the_page_about_tests() -> None:
    told = set(words(prose(DOCS / "testing-plugins.md")))
    for where, source in sources():
        names = {name for name, module in imported(source) if module.startswith(TESTING)}
        assert names <= told, where


def test_the_page_is_about_the_version_that_is_there() -> None:
    major, minor, _ = tfaas_core.__version__.split(".")
    bounds = f'dependencies = ["tfaas>={major}.{minor},<{major}.{int(minor) + 2}"]'
    assert bounds in PAGE.read_text(encoding="utf-8")
