"""Functions and files stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("tfaas_core", "plugins", "backends", "tests", "benchmarks")
MOST_LINES_OF_A_FUNCTION = 40
MOST_LINES_OF_A_FILE = 300

FILES = [
    file
    for folder in FOLDERS
    for file in sorted((ROOT / folder).rglob("*.py"))
    if not file.name.endswith("_pb2.py")  # generated
]


def functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The name and the number of lines of each function, without its decorators."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_longer_than_300_lines(folder: str) -> None:
    found = [file for file in FILES if file.is_relative_to(ROOT / folder)]
    assert found
    sizes = {str(file.relative_to(ROOT)): file.read_text().count("\n") for file in found}
    long = {name: size for name, size in sizes.items() if size > MOST_LINES_OF_A_FILE}
    assert long == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_is_longer_than_40_lines(folder: str) -> None:
    long = []
    for file in FILES:
        if file.is_relative_to(ROOT / folder):
            for name, lines in functions(ast.parse(file.read_text())):
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long.append(f"{file.relative_to(ROOT)}: {name} has {lines} lines")
    assert long == []
