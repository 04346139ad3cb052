"""What authors of plugins import from tfaas_core."""

from __future__ import annotations

import ast
import os
import pkgutil
import subprocess
import sys
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import tfaas_core
from tfaas_core import errors
from tfaas_core.codec import Codec
from tfaas_core.public_names import Former

SOURCE = Path(tfaas_core.__file__)

PLUGIN = """\
from collections.abc import Iterable

from tfaas_core import Codek, Host, Request, Response, Route, hookimpl, json_response


async def answer(request: Request) -> Response:
    return json_response([request.path, request.other])


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    return [Route("/path", ("GET",), answer)]
"""


@pytest.mark.parametrize("name", tfaas_core.__all__)
def test_each_public_name_is_what_its_home_has(name: str) -> None:
    home = import_module(home_of(name))
    assert getattr(tfaas_core, name) is getattr(home, name)


def home_of(name: str) -> str:
    return next(module for module, names in typed() for each in names if each == name)


def typed() -> Iterator[tuple[str, list[str]]]:
    """What type checkers see: each home, with the names that come from there."""
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                assert statement.module is not None
                assert all(alias.asname == alias.name for alias in statement.names)
                yield statement.module, [alias.name for alias in statement.names]


def test_type_checkers_see_the_same_names() -> None:
    assert sorted(name for _, names in typed() for name in names) == tfaas_core.__all__
    assert set(tfaas_core.__all__) <= set(dir(tfaas_core))


def test_no_public_name_is_a_modules() -> None:
    modules = {module.name for module in pkgutil.iter_modules(tfaas_core.__path__)}
    assert modules.isdisjoint(tfaas_core.__all__)
    assert isinstance(import_module("tfaas_core.codec"), types.ModuleType)


def test_all_errors_are_public() -> None:
    classes = {name for name, value in vars(errors).items() if is_error(value)}
    assert classes <= set(tfaas_core.__all__)


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.TfaasError)


def test_a_name_that_there_is_not_is_an_attribute_error_that_knows_the_others() -> None:
    with pytest.raises(AttributeError, match="'tfaas_core' has no attribute 'Codek'") as raised:
        getattr(tfaas_core, "Codek")  # noqa: B009 - type checkers know that it is not there
    assert (raised.value.name, raised.value.obj) == ("Codek", tfaas_core)


# Names that go away. There may be none at the moment, so this one is made up.


@pytest.fixture
def coder(monkeypatch: pytest.MonkeyPatch) -> None:
    """``tfaas_core.Coder`` goes away."""
    former = Former("tfaas_core.codec:Codec", "0.2.0", "use tfaas_core.Codec")
    monkeypatch.setitem(tfaas_core._FORMER, "Coder", former)


@pytest.mark.usefixtures("coder")
@pytest.mark.parametrize(
    "code", ["from tfaas_core import Coder", "import tfaas_core; Coder = tfaas_core.Coder"]
)
def test_a_name_that_goes_away_is_there_and_warns_at_each_line_that_uses_it(code: str) -> None:
    message = "^tfaas_core.Coder is deprecated since 0.2.0, and will be removed: use "
    for file in ("plugin.py", "other.py"):
        found: dict[str, object] = {}
        with pytest.warns(DeprecationWarning, match=message) as warned:
            exec(compile(code, file, "exec"), found)
        assert found["Coder"] is Codec
        assert {warning.filename for warning in warned} == {file}


def test_names_that_go_away_are_still_there_and_no_more_public() -> None:
    assert tfaas_core._FORMER.keys().isdisjoint(tfaas_core.__all__)
    for name in tfaas_core._FORMER:
        with pytest.warns(DeprecationWarning, match=name):
            getattr(tfaas_core, name)


# Types. The install that the tests run with is editable.


def test_mypy_sees_the_types_of_what_a_plugin_imports(tmp_path: Path) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    command = [sys.executable, "-m", "mypy", "--strict", "plugin.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        'plugin.py:3: error: Module "tfaas_core" has no attribute "Codek"; maybe "Codec"?'
        "  [attr-defined]",
        'plugin.py:7: error: "Request" has no attribute "other"  [attr-defined]',
        "Found 2 errors in 1 file (checked 1 source file)",
    ], "make clean, or install anew: an editable install of before had no types"
