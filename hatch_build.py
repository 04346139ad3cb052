"""Compiles what is quicker compiled, where there is a compiler; without, TFaaS does the same."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags

_SOURCES = (Path("plugins/tfaas_plugins/codecs/json/_number_lists.c"),)
_SUFFIX = ".abi3.so"


class CompilingHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts each library beside its source, and into the wheel.

    ``TFAAS_COMPILE=0`` leaves them out. ``CC`` is the compiler; left out: what built Python.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Sets what the wheel is for: this platform, or any if nothing was compiled."""
        targets = [Path(self.root, source).with_suffix(_SUFFIX) for source in _SOURCES]
        for target in targets:
            target.unlink(missing_ok=True)
        if os.environ.get("TFAAS_COMPILE") == "0":
            return
        try:
            for target in targets:
                _compile(target)
        except (OSError, subprocess.CalledProcessError) as error:
            self.app.display_warning(f"nothing is compiled, and TFaaS does without: {error}")
            return
        build_data["artifacts"] += [f"/{source.with_suffix(_SUFFIX)}" for source in _SOURCES]
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{next(sys_tags()).platform}"


def _compile(target: Path) -> None:
    source = target.with_name(target.name.removesuffix(_SUFFIX)).with_suffix(".c")
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    compiler = shlex.split(os.environ.get("CC", "")) or linker[:1]
    include = sysconfig.get_paths()["include"]
    # So that a library is whole or not there.
    made = target.with_suffix(".new")
    command = [*compiler, *linker[1:], "-O2", "-fPIC", f"-I{include}", str(source)]
    try:
        subprocess.run([*command, "-o", str(made)], check=True)
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
