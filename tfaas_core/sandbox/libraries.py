"""Libraries: the folders that Python and its packages are loaded from."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Self

import msgspec

_SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo")
_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/random")
_CORES = ("/sys/devices/system/cpu", "/sys/devices/system/node")
_PACKAGES = ("site-packages", "dist-packages")

WRITABLE = ("/dev/null",)


class Libraries(msgspec.Struct, frozen=True):
    """What a process has to read that runs models.

    ``are_open``: whether every user of this machine can read them, as far as modules are imported.
    """

    paths: tuple[str, ...]
    are_open: bool

    @classmethod
    def imported(cls, folders: Iterable[str] = ()) -> Self:
        """Those that the present process has imported, and may import; ``folders``: further ones.

        The folders of ``sys.path`` are not among them, unless they are of installed packages: the
        current folder is one of ``sys.path``.
        """
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        paths = [file for file in files if isinstance(file, str)]
        return cls(_library_paths(folders), all(map(_others_can_reach, paths)))


def _library_paths(folders: Iterable[str]) -> tuple[str, ...]:
    python = [os.path.join(sys.base_prefix, "lib"), os.path.join(sys.base_exec_prefix, "lib")]
    installed = [*site.getsitepackages(), site.getusersitepackages()]
    installed += [path for path in sys.path if os.path.basename(path) in _PACKAGES]
    found = [*_SYSTEM, *python, *installed, *_imported(), *folders]
    return (*_outermost(found), *_FILES, *_CORES)


def _imported() -> Iterable[str]:
    """The folders of all packages, and the files of all modules beside them."""
    for name, module in list(sys.modules.items()):
        if "." in name:
            continue
        yield from list(getattr(module, "__path__", ()))
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.endswith("__init__.py"):
            yield file


def _outermost(paths: Iterable[str]) -> list[str]:
    """Those that lie in no other."""
    found: list[Path] = []
    for path in sorted({Path(os.path.realpath(path)) for path in paths if os.path.exists(path)}):
        if not (found and path.is_relative_to(found[-1])):
            found.append(path)
    return [str(path) for path in found]


def others_can_read(path: str) -> bool:
    """Whether users that own nothing can read a file, or all of a folder."""
    try:
        return _others_can_reach(path) and _is_open(Path(os.path.realpath(path)))
    except OSError:
        return False


def _is_open(path: Path) -> bool:
    if path.is_symlink():  # it leads elsewhere, or nowhere
        return True
    needed = 0o5 if path.is_dir() else 0o4
    if path.stat().st_mode & needed != needed:
        return False
    return not path.is_dir() or all(_is_open(child) for child in path.iterdir())


def _others_can_reach(path: str) -> bool:
    """Whether they can read a file, and get there."""
    real = os.path.realpath(path)
    try:
        return os.stat(real).st_mode & 0o4 != 0 and _others_can_enter(os.path.dirname(real))
    except OSError:
        return False


@cache
def _others_can_enter(folder: str) -> bool:
    above = os.path.dirname(folder)
    return os.stat(folder).st_mode & 0o1 != 0 and (above == folder or _others_can_enter(above))
