"""What authors of plugins import for their tests is there with the extra ``testing``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.core.test_imports import CORE, ROOT, files, imports

FOR_OUR_TESTS = {"postgresql.py"}
"""It starts a database server; no other module imports it."""

FOR_FUZZING = "fuzz.py"
"""It takes the extra ``fuzz``, too; no other module imports it."""

OF_CALLS = CORE / "testing" / "conformance" / "calls"
"""It takes the extra ``grpc``, too; nobody imports it who asks nothing by gRPC."""

_CALLED = {"protobuf": "google", "grpcio": "grpc"}

MODULES = [file for file in files(CORE / "testing") if file.name not in FOR_OUR_TESTS]


def required(*extras: str) -> set[str]:
    """The modules of what ``pip install tfaas[EXTRAS]`` installs, as far as we ask for it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    names = [re.split(r"[^\w-]", line)[0] for line in lines]
    modules = {name.lower().replace("-", "_") for name in names}
    return {_CALLED.get(name, name) for name in modules} | {"tfaas_core"}


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.name)
def test_a_module_for_tests_imports_what_is_there(file: Path) -> None:
    found = {module.partition(".")[0] for module in imports(file)}
    extras = ["testing"]
    if file.name == FOR_FUZZING:
        extras.append("fuzz")
    if file.parent == OF_CALLS:
        extras.append("grpc")
    assert found <= required(*extras) | sys.stdlib_module_names


def test_no_module_for_authors_imports_what_is_for_our_tests() -> None:
    names = {*FOR_OUR_TESTS, FOR_FUZZING}
    ours = {f"tfaas_core.testing.{name.removesuffix('.py')}" for name in names}
    for file in MODULES:
        assert not [m for m in imports(file) if m.rpartition(".")[0] in ours], file
