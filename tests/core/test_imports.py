"""Imports flow one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "tfaas_core"
ROOMS = (CORE, ROOT / "plugins" / "tfaas_plugins", ROOT / "backends" / "tfaas_backends")

LAYERS = (
    {"public_names"},
    {"__init__"},
    {"withheld"},
    {"errors", "events", "fields", "listener", "notes", "operation", "quick_writes"}
    | {"request_ids", "shared_memory", "steps", "streams"},
    {"configured_path", "error_kinds", "files", "levels", "texts", "visit"},
    {"route", "tensors"},
    {"guard", "models", "observer", "service", "static_files"},
    {"system"},
    {"codec", "routing", "sandbox", "secret", "storage", "values"},
    {"decoding", "local_disk"},
    {"settings"},
    {"config"},
    {"runtime", "status"},
    {"hookspecs"},
    {"engine"},
    {"predict"},
    {"plugins", "uploads"},
    {"wiring"},
    {"predict_routes"},
    {"host"},
    {"http", "tools"},
    {"testing"},
    {"processes", "pytest_plugin"},
    {"cli"},
    {"__main__"},
)
"""The modules and packages of tfaas_core. Each imports from layers above its own line alone."""

ENGINE_LAYERS = (
    {"beginning", "statuses"},
    {"base"},
    {"resting", "shared"},
    {"scheduling"},
    {"in_fork_server", "in_model_process", "in_parent", "in_worker"},
    {"in_door", "in_front"},
    {"local", "remote"},
)
"""The same within tfaas_core/engine: what lives in one kind of process knows no other."""

PROCESSES_LAYERS = (
    {"broken_start", "messages"},
    {"in_worker"},
    {"in_worker_server"},
    {"in_parent"},
    {"server"},
    {"engine_server", "reloader"},
)
"""The same within tfaas_core/processes. The parent has to know how an HTTP worker begins."""

ROOMS_WITH_LAYERS = (("engine", ENGINE_LAYERS), ("processes", PROCESSES_LAYERS))

STARTS_PROCESSES = "in_parent"
BEGINNINGS = (
    *("in_fork_server.process", "in_model_process.accelerating.converting"),
    *("in_model_process.mode_trial", "in_model_process.process"),
)
"""But that whatever starts a process has to know where that begins."""

NAME_WHAT_IS_BELOW = {CORE / "__init__.py", CORE / "hookspecs.py"}
"""The public names are made further down, and so is what hooks get and return; of these modules,
only type checkers look that up."""


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@cache
def imports(file: Path, types_too: bool = True) -> tuple[str, ...]:
    """The modules that ``file`` imports, anywhere in it."""
    return tuple(_imports(file, types_too))


def _imports(file: Path, types_too: bool) -> Iterator[str]:
    tree = _tree_of(file)
    skipped = set() if types_too else set(_of_types(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node not in skipped:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node not in skipped:
            assert node.level == 0, f"{file} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _of_types(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _is_of_types(node.test):
            for statement in node.body:
                yield from ast.walk(statement)


def _is_of_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def noun(file: Path, folder: Path = CORE) -> str:
    return file.relative_to(folder).with_suffix("").parts[0]


def test_every_module_of_the_core_has_its_layer() -> None:
    assert {noun(file) for file in files(CORE)} == set().union(*LAYERS)
    for room, layers in ROOMS_WITH_LAYERS:
        nouns = {noun(file, CORE / room) for file in files(CORE / room)}
        assert nouns - {"__init__"} == set().union(*layers)


def test_the_core_imports_only_from_the_layers_above() -> None:
    for file in files(CORE):
        allowed = above(noun(file), LAYERS) | {"__version__"}
        for module in imports(file, types_too=False):
            if module.startswith("tfaas_core."):
                assert module.split(".")[1] in allowed, f"{file} imports {module}"


@pytest.mark.parametrize(("room", "layers"), ROOMS_WITH_LAYERS)
def test_a_room_imports_only_from_its_layers_above(room: str, layers: tuple[set[str], ...]) -> None:
    for file in files(CORE / room):
        name = noun(file, CORE / room)
        allowed = above(name, layers)
        for module in imports(file):
            _, _, below = module.partition(f"tfaas_core.{room}.")
            if below and not (name == STARTS_PROCESSES and below.startswith(BEGINNINGS)):
                assert below.partition(".")[0] in allowed, f"{file} imports {module}"


def above(name: str, layers: Sequence[set[str]]) -> set[str]:
    """What the module or package ``name`` may import: itself, and all layers above its own."""
    layer = next((i for i, layer in enumerate(layers) if name in layer), 0)
    return {name}.union(*layers[:layer])


def test_no_modules_import_each_other_in_a_circle() -> None:
    modules = {name_of(file, room): file for room in ROOMS for file in files(room)}
    imported = {
        name: {known(module, modules) for module in imports(file, file not in NAME_WHAT_IS_BELOW)}
        for name, file in modules.items()
    }
    # Raises CycleError, which names the modules.
    list(TopologicalSorter({n: them - {n, ""} for n, them in imported.items()}).static_order())


def name_of(file: Path, room: Path) -> str:
    """The name that ``file`` is imported by."""
    return ".".join(file.relative_to(room.parent).with_suffix("").parts).removesuffix(".__init__")


def known(module: str, modules: Mapping[str, Path]) -> str:
    """The module of ours that ``a.b.name`` comes from: ``a.b.name``, or ``a.b``; "" for others."""
    package = module.rpartition(".")[0]
    return module if module in modules else package if package in modules else ""


def test_the_core_imports_no_plugin_and_no_heavy_library() -> None:
    for file in files(CORE):
        foreign = {"tensorflow", "keras", "sqlalchemy", "tfaas_plugins", "tfaas_backends"}
        if noun(file) != "http":
            foreign.add("sanic")
        imported = {module.partition(".")[0] for module in imports(file)}
        assert foreign.isdisjoint(imported), f"{file} imports {foreign & imported}"


@pytest.mark.parametrize("folder", ["plugins/tfaas_plugins", "backends/tfaas_backends"])
def test_plugins_import_only_the_core_and_themselves(folder: str) -> None:
    own = Path(folder).name
    found = files(ROOT / folder)
    assert found
    for file in found:
        ours = {m.partition(".")[0] for m in imports(file) if m.startswith("tfaas_")}
        assert ours <= {"tfaas_core", own}, file


def loaded_by(code: str) -> set[str]:
    code += "\nimport sys; print(*sys.modules, file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in run.stderr.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import tfaas_core",
        "import tfaas_core.cli",
        "from tfaas_core.cli import main; main(['--help'])",
        "from tfaas_core.cli import main; main(['--version'])",
    ],
)
def test_help_and_version_load_nothing_heavy(code: str) -> None:
    assert {"tensorflow", "keras", "sanic", "numpy", "msgspec"}.isdisjoint(loaded_by(code))


def test_wiring_a_host_loads_no_tensorflow() -> None:
    code = "from tfaas_core.config import load_config\nfrom tfaas_core.host import Host\n"
    code += "from tfaas_core.wiring.composition import Composition\n"
    code += "Host.at_rest(Composition.of(load_config(environ={}))).routes()"
    loaded = loaded_by(code)
    assert "numpy" in loaded
    assert {"tensorflow", "keras", "sanic", "sqlalchemy", "alembic"}.isdisjoint(loaded)


def test_runtimes_import_tensorflow_only_with_its_settings() -> None:
    runtimes = ROOT / "backends" / "tfaas_backends" / "runtimes"
    theirs = {runtimes / "tensorflow" / name for name in ("quiet.py", "private.py")}
    for file in set(files(runtimes)) - theirs:
        assert "tensorflow" not in {module.partition(".")[0] for module in imports(file)}, file
