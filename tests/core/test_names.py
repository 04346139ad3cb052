"""A name stands for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).parents[2] / "tfaas_core"

ENTRY_POINT = "main"
"""What a process begins with; there are several kinds of process."""


def names(tree: ast.Module) -> Iterator[str]:
    """What a module defines at its top, but for private names."""
    for node in tree.body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if not has_its_users_name(node):
                    yield node.name
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not is_variable(value):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def has_its_users_name(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is a command, or implements a hook: both have the names that users know."""
    decorators = [ast.unparse(d) for d in node.decorator_list]
    return any(".command(" in d or d in ("hookimpl", "hookspec") for d in decorators)


def is_variable(value: ast.expr) -> bool:
    """Whether it is a variable of types: ``T``, say."""
    return ast.unparse(value).startswith(("TypeVar(", "ParamSpec("))


def test_no_public_name_of_the_core_stands_for_two_things() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(CORE.rglob("*.py")):
        for name in names(ast.parse(file.read_text(encoding="utf-8"))):
            if not name.startswith("_") and name != ENTRY_POINT:
                places[name].append(str(file.relative_to(CORE)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
