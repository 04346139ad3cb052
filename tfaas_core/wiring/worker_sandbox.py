"""How the configuration, the storage and the plugins have HTTP workers confined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tfaas_core.configured_path import configured_path
from tfaas_core.decoding.uses import UsesDecoders
from tfaas_core.engine.base import MISSING
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.sandbox.parts import Parts
from tfaas_core.sandbox.worker import WorkerCell, worker_cell, worker_parts
from tfaas_core.wiring.composition import Composition

_DECODED = {"all": "all pictures", "large": "large pictures"}


class WorkerSandbox(msgspec.Struct, frozen=True):
    """``cell``: how HTTP workers are confined; None: not at all.

    ``parts``: what each part is made of, or MISSING and why; empty if they are not to be.
    """

    cell: WorkerCell | None
    parts: dict[str, str]

    @classmethod
    def of(cls, composition: Composition) -> WorkerSandbox:
        """As far as this machine can. Raises ConfigError if it must be whole, and cannot be.

        And PluginError, if the storage does not say what it is asked.
        """
        server = composition.config.server
        if server.sandbox == "off":
            return cls(None, {})
        starting = _starting_programs(composition)
        cell = worker_cell(_written(composition), starting != "")
        parts = {**dict(_parts(composition, cell, starting)), **_decoders(composition)}
        if server.sandbox == "required":
            _check(parts)
        return cls(cell, parts)


def _parts(composition: Composition, cell: WorkerCell, starting: str) -> Iterator[tuple[str, str]]:
    found = worker_parts()
    missing = Parts.of_this_machine(composition.config.engine.first_model_user).missing
    for name in ("privileges", "files", "calls"):
        if name not in found:
            renames = "Landlock of this kernel lets nobody rename files from folder to folder"
            yield name, MISSING + missing.get(name, renames)
        elif name == "files" and cell.writes is None:
            kind = composition.config.storage.kind
            yield name, f"{MISSING}the storage `{kind}` does not say where it writes"
        else:
            yield name, found[name]
    if starting:
        yield "programs", MISSING + starting
    elif "files" in found or "calls" in found:
        yield "programs", "none can be started"


def _decoders(composition: Composition) -> dict[str, str]:
    which = composition.config.server.decoders
    if not any(isinstance(codec, UsesDecoders) for codec in composition.codecs.values()):
        return {}
    if which == "off":
        return {"decoders": f'{MISSING}server.decoders = "off" has pictures decoded here'}
    return {"decoders": f"confined processes for {_DECODED[which]}"}


def _starting_programs(composition: Composition) -> str:
    """Why HTTP workers may start programs, a clause; empty: they may not."""
    if composition.config.server.programs:
        return "server.programs lets plugins start them"
    if composition.storage.starts_programs:
        return f"the storage `{composition.config.storage.kind}` starts some"
    return ""


def _written(composition: Composition) -> list[Path] | None:
    config, storage = composition.config, composition.storage
    with composition.storage_part.starting("asking"):
        of_storage: object = storage.written()
    of_plugins = composition.plugins.written(config)
    if of_storage is None:
        return None
    kind = config.storage.kind
    if not isinstance(of_storage, Sequence) or not all(isinstance(p, Path) for p in of_storage):
        wrong = f"returned {of_storage!r} from written of the storage `{kind}`, expected paths"
        raise _blamed(composition, kind, wrong)
    key = "$.server.writable"
    more = [configured_path(text, config.base_dir, key) for text in config.server.writable]
    return [*of_storage, *map(_made_anew, of_plugins), *map(_made_anew, more)]


def _blamed(composition: Composition, kind: str, wrong: str) -> PluginError:
    return composition.plugins.blame("storage", kind, wrong)


def _made_anew(path: Path) -> Path:
    """What has to be writable for it: the folder, if it is a file, or is not there yet."""
    return path if path.is_dir() or (path.exists() and not path.is_file()) else path.parent


def _check(parts: dict[str, str]) -> None:
    for name, what in parts.items():
        if what.startswith(MISSING):
            raise ConfigError(
                f"HTTP workers cannot be confined as is required, for want of `{name}`: "
                f"{what.removeprefix(MISSING)} - at `$.server.sandbox`"
            )
