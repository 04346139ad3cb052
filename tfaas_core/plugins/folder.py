"""The plugins of a folder, ``[plugins] dir``: each Python file, and each package, is one."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

from tfaas_core.errors import ConfigError
from tfaas_core.plugins.plugin import Plugin

_INIT = "__init__.py"


def plugins_in(folder: Path) -> Iterator[tuple[Plugin, partial[ModuleType]]]:
    """Those in ``folder``, sorted by name, and what imports each. Raises ConfigError.

    What begins with ``_`` or ``.`` is none: plugins may import it.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(
            f"the folder of plugins {folder} cannot be read: {error.strerror} - at `$.plugins.dir`"
        ) from None
    for path in paths:
        is_package = os.path.isdir(path)
        name, file = (path.name, path / _INIT) if is_package else (path.stem, path)
        if path.name[0] in "_." or file.suffix != ".py":
            continue
        # A folder may be anything; what else is called so is meant to be a plugin.
        if not is_package or os.path.isfile(file):
            yield Plugin(name, str(path), ""), partial(_imported, name, file)


def _imported(name: str, file: Path) -> ModuleType:
    if not os.path.isfile(file):
        raise ImportError("it is no file, or a link to what is not there")
    if not name.isidentifier():
        raise ImportError(f"{name!r} cannot name a module; use letters, digits and _ alone")
    folder = file.parent.parent if file.name == _INIT else file.parent
    # The processes that this one starts get the path, too, and so can import it by its name. It
    # is the last one, so that no file of the folder takes the place of another module.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    if other := _in_its_place(name, file):
        raise ImportError(f"there is another module {name} ({other}); rename this one")
    return importlib.import_module(name)


def _in_its_place(name: str, file: Path) -> str:
    """Where the other module is that an import of ``name`` gives; empty if it gives ``file``."""
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # a module without a spec, such as __main__
        return "running"
    if spec is None or (spec.has_location and Path(str(spec.origin)).resolve() == file.resolve()):
        return ""
    return spec.origin or "a folder"
