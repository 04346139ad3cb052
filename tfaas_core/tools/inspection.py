"""Inspection: what a server would say of a model, found out without one."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import Candidate, EngineContext, Loaded
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.errors import SEE_LOG, BadBody, TfaasError
from tfaas_core.files.temporary_folder import temporary_folder
from tfaas_core.models.examples import examples_in, examples_to_run
from tfaas_core.models.model import ModelVersion, OtherSignature, is_name
from tfaas_core.models.params import Params, check_features
from tfaas_core.plugins import plugins_of
from tfaas_core.runtime import Runtime
from tfaas_core.storage import disk_errors
from tfaas_core.system.output.muted import stderr_muted
from tfaas_core.system.output.stdout import stdout_is_stderr
from tfaas_core.tensors import Signature
from tfaas_core.tools.lone_engine import LoneEngine, engine_context, lone_engine, record_of
from tfaas_core.tools.second_engine import second_engine
from tfaas_core.uploads.bundle import BundleLimits, is_bundle, unpack
from tfaas_core.uploads.companions import read_warmup
from tfaas_core.uploads.contents import Contents, contents_of
from tfaas_core.uploads.folder import regular_files
from tfaas_core.uploads.runtime_choice import RuntimeChoice

_COUNT_TIMEOUT_S = 60.0


class Inspection(msgspec.Struct, kw_only=True):
    """What was found out about a model.

    ``refusal`` is the sentence with which a server would refuse it, empty if it is ``loadable``;
    then ``signature``, ``mergeable`` and ``merge_reason`` are there, and ``others`` and
    ``declared`` are those of its record. ``runtime`` is empty if
    none takes it. ``examples`` are how many it carries, all reproduced if it is loadable.
    ``ops`` counts each type of op, the most frequent first. ``params`` is a params.json to start
    from: what was found, and what the model brings along. ``engine``: see ``second_engine``.
    """

    path: str
    loadable: bool = False
    refusal: str = ""
    runtime: str = ""
    size: int = 0
    signature: Signature | None = None
    mergeable: bool | None = None
    merge_reason: str = ""
    examples: int = 0
    ops: dict[str, int] = {}
    params: dict[str, Any] = {}
    others: tuple[OtherSignature, ...] = ()
    declared: dict[str, Any] = {}
    engine: dict[str, str] = {}


def inspect_model(path: Path, config: Config) -> Inspection:
    """Inspects the graph, the tarball or the folder at ``path``.

    The model is loaded and warmed up as a server of this configuration would do it, and its
    examples run, in a process of its own. Blocks. Meanwhile this process writes nothing to stderr,
    where a crashing library would. Raises PluginError.
    """
    plugins = plugins_of(config)
    context = engine_context(config, plugins)
    codecs = plugins.codecs(config)
    inspection = Inspection(path=str(path))
    try:
        with (
            stderr_muted(),
            stdout_is_stderr(),
            _opened(path, config, RuntimeChoice(context.runtimes)) as contents,
        ):
            _inspect(inspection, contents, context, codecs)
            inspection.loadable = True
    except TfaasError as error:
        # Here is no such log.
        inspection.refusal = error.message.removesuffix(SEE_LOG)
    return inspection


@contextmanager
def _opened(path: Path, config: Config, runtimes: RuntimeChoice) -> Iterator[Contents]:
    """What ``path`` holds; a tarball is unpacked while the block lasts."""
    limits = BundleLimits.of(config.limits)
    if path.is_dir():
        regular_files(path)
        yield msgspec.structs.replace(contents_of(path, runtimes), name=path.resolve().name)
    elif not path.is_file():
        raise BadBody(f"{path} is neither a regular file nor a folder")
    elif is_bundle(path):
        with tempfile.TemporaryDirectory(prefix="tfaas-inspect-", dir=temporary_folder()) as folder:
            unpacked = Path(folder) / "unpacked"
            with disk_errors("unpacking the bundle", Path(folder)):
                unpack(path, unpacked, limits)
            contents = contents_of(unpacked, runtimes)
            yield msgspec.structs.replace(contents, name=contents.name or _stem(path))
    else:
        yield Contents(path.stem, path, path.name)


def _stem(tarball: Path) -> str:
    return tarball.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz")


def _inspect(
    inspection: Inspection,
    contents: Contents,
    context: EngineContext,
    codecs: Mapping[str, Codec[Any]],
) -> None:
    """Fills in what it finds, until the model is refused by a TfaasError."""
    model = contents.model
    files = regular_files(model) if model.is_dir() else [model]
    inspection.size = sum(file.stat().st_size for file in files)
    params = contents.said
    warmup = read_warmup(contents.warmup) if contents.warmup else None
    name = params.name or contents.name
    inspection.params = {"name": name, "inputNode": "", "outputNode": "", "description": ""}
    inspection.params |= params.document
    choice = RuntimeChoice(context.runtimes)
    inspection.runtime = choice.runtime_for(model, contents.file_name, params.runtime)
    candidate = Candidate(
        name if is_name(name) else "model", "", inspection.runtime, str(model), params.document
    )
    loaded, inspection.examples = asyncio.run(
        _try_out(inspection, candidate, warmup, context, codecs)
    )
    inspection.signature = loaded.signature
    inspection.mergeable, inspection.merge_reason = loaded.mergeable, loaded.merge_reason
    inspection.others, inspection.declared = loaded.others, loaded.declared
    inspection.params |= params.shown_nodes(loaded.signature)


async def _try_out(
    inspection: Inspection,
    candidate: Candidate,
    warmup: dict[str, Any] | None,
    context: EngineContext,
    codecs: Mapping[str, Codec[Any]],
) -> tuple[Loaded, int]:
    """Loads the candidate in a model process, which is gone afterwards, and runs its examples.

    Returns how many these are, too. In any case, the inspection gets the ops.
    """
    async with lone_engine(context, codecs) as lone:
        try:
            loaded, record = await _tried(lone, candidate, warmup)
            inspection.engine = await second_engine(lone, candidate, loaded, record)
            return loaded, len(examples_to_run(record))
        finally:
            inspection.ops = await _ops(lone.fork_servers, candidate)


async def _tried(
    lone: LoneEngine, candidate: Candidate, warmup: dict[str, Any] | None
) -> tuple[Loaded, ModelVersion]:
    params = Params.of(candidate.params)
    examples = examples_in(warmup, params.document)
    loaded = await lone.engine.prepare(candidate)
    loaded = await lone.runs.prepared_again(loaded, candidate, params, examples)
    check_features(params, loaded.signature)
    record = msgspec.structs.replace(record_of(candidate, loaded), warmup=warmup)
    await lone.runs.check(loaded.ticket, record, examples_to_run(record))
    return loaded, record


async def _ops(fork_servers: ForkServers, candidate: Candidate) -> dict[str, int]:
    """The runtime's count, made in a process of its own; empty if that dies, or takes long."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    try:
        async with asyncio.timeout(_COUNT_TIMEOUT_S):
            with theirs:
                work = partial(_send_ops, candidate)
                process = await fork_servers.start(theirs, candidate.runtime, work, candidate.path)
            content = await reader.read()
            process.kill()
    except (TimeoutError, TfaasError):
        content = b""
    finally:
        writer.close()
    ops = msgspec.json.decode(content or b"{}", type=dict[str, int])
    return dict(sorted(ops.items(), key=lambda item: (-item[1], item[0])))


def _send_ops(candidate: Candidate, sock: socket.socket, runtimes: Mapping[str, Runtime]) -> None:
    params = Params.of(candidate.params)
    ops = runtimes[candidate.runtime].count_ops(Path(candidate.path), params)
    sock.sendall(msgspec.json.encode(ops))
