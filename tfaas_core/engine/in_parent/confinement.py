"""Confinement: how the configuration, and what this machine has, confine model processes."""

from __future__ import annotations

from collections.abc import Mapping

from tfaas_core.engine.base import MISSING
from tfaas_core.errors import ConfigError
from tfaas_core.sandbox.confine import Cell
from tfaas_core.sandbox.environment import clean_environment
from tfaas_core.sandbox.parts import Parts
from tfaas_core.settings.tables import EngineTable


def cell_of(engine: EngineTable) -> Cell | None:
    """How model processes are confined; None: not at all."""
    if engine.sandbox == "off":
        return None
    present = Parts.of_this_machine(engine.first_model_user).present
    has_user = "user" in present and engine.isolation == "model"
    return Cell(
        engine.first_model_user if has_user else None,
        files="files" in present,
        calls="calls" in present,
        memory_bytes=engine.model_memory_bytes,
        executable_pages=engine.executable_pages,
    )


def environment_of(engine: EngineTable, environ: Mapping[str, str]) -> Mapping[str, str]:
    """What fork servers, and so model processes, see of ``environ``."""
    return environ if engine.sandbox == "off" else clean_environment(environ, engine.environment)


def confinement(engine: EngineTable) -> dict[str, str]:
    """What models are confined by, part by part; see ``EngineFactory.sandbox``."""
    if engine.sandbox == "off":
        return {}
    if engine.isolation == "inline":
        return {"process": f'{MISSING}isolation = "inline" runs models in the HTTP workers'}
    parts = Parts.of_this_machine(engine.first_model_user)
    found = {**parts.present, **{name: f"{MISSING}{why}" for name, why in parts.missing.items()}}
    if engine.isolation == "shared":
        shared = f'{MISSING}isolation = "shared" runs all models in one process'
        found["process"] = shared
        found.pop("user", None)
    elif "files" in parts.present:
        found["files"] += ": the artifact, libraries, and of /proc its own"
    return found


def check_sandbox(engine: EngineTable) -> None:
    """Raises ConfigError if a sandbox is required that is not there as a whole."""
    if engine.sandbox == "required":
        for name, what in confinement(engine).items():
            if what.startswith(MISSING):
                why = what.removeprefix(MISSING)
                raise ConfigError(
                    f"models cannot be confined as is required, for want of `{name}`: {why}"
                    " - at `$.engine.sandbox`"
                )
