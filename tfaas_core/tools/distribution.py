"""Distribution: a plugin to start from, with its tests, written into a new folder."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from string import Template

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError
from tfaas_core.host import Host
from tfaas_core.plugins import BUILTIN_PLUGINS, load_plugins
from tfaas_core.settings.checks import keys_of
from tfaas_core.settings.tables import PluginsTable
from tfaas_core.wiring.composition import Composition

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_TEMPLATES = Path(__file__).parent / "templates"


def write_distribution(kind: str, name: str, folder: Path | None = None) -> Path:
    """Writes the distribution ``tfaas-NAME`` with a plugin of this kind; returns its folder.

    That is ``folder``, or ``tfaas-NAME`` in the current one. ``kind`` has templates here. Raises
    ConfigError if the name or the folder does not do; then nothing is written.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name!r} cannot name a plugin: a name is lower-case letters and digits, "
            "in words joined by `-`, like `my-format`"
        )
    module = f"tfaas_{_section(name)}"
    if importlib.util.find_spec(module) is not None:
        raise ConfigError(f"there is a module {module} already; choose another name")
    if whose := _whose(kind, name):
        raise ConfigError(f"{name!r} cannot name a {kind} plugin: {whose}; choose another name")
    folder = Path(f"tfaas-{name}") if folder is None else folder
    files = dict(_files(kind, name, module))
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{folder} is there already; nothing was changed") from None
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def _whose(kind: str, name: str) -> str:
    """Who has already what the plugin would register; empty: nobody that is built in or installed.

    Of a broken one, nothing is said here: it has what it could register.
    """
    section = _section(name)
    if kind == "guard" and section in keys_of(PluginsTable):
        return f"[plugins] {section} is a key of the server"
    claims = {
        "codec": [("codec", name), ("route", f"POST /{name}")],
        "guard": [("section", section)],
        "routes": [("route", f"GET /{name}"), ("route", f"POST /{name}/{{name}}")],
    }
    plugins = load_plugins(on_error=lambda _error: None)
    Host.at_rest(Composition.of(Config(), plugins)).routes()
    for claim in claims.get(kind, [(kind, name)]):
        with suppress(KeyError):
            owner = plugins.owner(*claim)
            who = "built-in" if owner in BUILTIN_PLUGINS else "installed"
            return f"the {who} plugin {owner} has the {' '.join(claim)}"
    return ""


def _section(name: str) -> str:
    return name.replace("-", "_")


def _files(kind: str, name: str, module: str) -> Iterator[tuple[str, str]]:
    values = {
        "kind": kind,
        "name": name,
        "module": module,
        "distribution": f"tfaas-{name}",
        "section": _section(name),
        "cls": "".join(word.capitalize() for word in name.split("-")),
    }

    def filled(template: str) -> str:
        text = (_TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
        return Template(text).substitute(values)

    yield "pyproject.toml", filled("common/pyproject.toml")
    yield "README.md", filled("common/README.md") + filled(f"{kind}/use.md")
    yield ".github/workflows/test.yml", filled("common/test.yml")
    yield f"{module}.py", filled(f"{kind}/module.py")
    yield f"tests/test_{module}.py", filled(f"{kind}/test.py")
