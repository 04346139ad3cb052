"""Survey: every plugin with what it registers, or with what is wrong with it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Literal, TypeAlias

import msgspec

from tfaas_core.config import Config
from tfaas_core.engine.base import MISSING
from tfaas_core.errors import ConfigError, PluginError, StartupError
from tfaas_core.host import Host
from tfaas_core.plugins import Plugin, Plugins, plugins_of
from tfaas_core.plugins.checks import is_struct
from tfaas_core.plugins.listeners import OwnedListener
from tfaas_core.settings.checks import keys_of
from tfaas_core.settings.tables import EngineTable, StorageTable
from tfaas_core.system.network.address import is_free_address
from tfaas_core.system.output.one_line import described
from tfaas_core.tools.start_warnings import start_warnings
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace
from tfaas_core.wiring.worker_sandbox import WorkerSandbox

_Report: TypeAlias = Callable[[StartupError], None]


class SurveyedPlugin(msgspec.Struct, frozen=True):
    """One line of ``tfaas plugins``. ``settings`` are the keys of the configuration that the plugin
    takes, like ``plugins.access_log.file``. ``reason`` is empty if the plugin is active.
    """

    module: str
    distribution: str
    version: str
    status: Literal["active", "disabled", "broken"]
    registers: list[str]
    settings: list[str]
    reason: str


class Findings(msgspec.Struct, frozen=True):
    """What ``tfaas check`` says, a sentence each.

    With errors, ``tfaas serve`` does not start, models of a runtime are a 503, or plugins' commands
    are missing. ``warnings``: all that it would warn of when it starts. ``sandbox`` says how models
    and HTTP workers are confined, as far as that could be found out.
    """

    errors: list[str]
    warnings: list[str]
    sandbox: list[str] = []


def survey(
    config: Config,
    commands: Collection[str] = (),
    tell: Callable[[str], None] = lambda _sentence: None,
) -> list[SurveyedPlugin]:
    """Every plugin that is found. No routes are listed if the configuration is wrong.

    ``commands`` are the names of the built-in ones. ``tell`` gets what is wrong, but with plugins.
    """
    errors: list[StartupError] = []
    plugins = _built(config, commands, errors.append).plugins
    settings = _settings(plugins)
    reasons: dict[str, dict[str, None]] = {}
    for error in errors:
        if isinstance(error, PluginError):
            reasons.setdefault(error.details["plugin"], {})[error.message] = None
        else:
            tell(error.message)
    return [
        SurveyedPlugin(
            plugin.module,
            plugin.distribution,
            plugin.version,
            _status(plugin, reasons),
            plugins.registered(plugin),
            settings.get(plugin.module, []),
            _why_disabled(config, plugin) or "; ".join(reasons.get(plugin.module, {})),
        )
        for plugin in plugins.found
    ]


def findings(config: Config, commands: Collection[str] = ()) -> Findings:
    """What is wrong with the plugins, and with what ``config`` asks of them.

    Builds what a server builds before it binds its port, and asks no other machine. Model processes
    are started, and have ended when it returns. ``commands`` are the names of the built-in ones.
    """
    errors: list[StartupError] = []
    built = _built(config, commands, errors.append)
    if built.composition is not None:
        errors += [*_unmade_engine(built.composition), *_unready_runtimes(built.composition)]
    unreached: list[StartupError] = []
    _own_address(config, unreached.append)
    built.warnings += _listeners(built.listeners, unreached.append)
    errors = [*_unknown_disabled(config, built.plugins), *unreached, *errors]
    confining: dict[str, dict[str, str]] = {}
    if built.composition is not None:
        confining = _confining(built.composition)
        # Where it is required, what is missing is an error already.
        required = {"models"} if config.engine.sandbox == "required" else set()
        told_of = {who: parts for who, parts in confining.items() if who not in required}
        built.warnings[:0] = start_warnings(built.composition, told_of, errors.append)
    errors.sort(key=lambda error: not isinstance(error, PluginError))
    messages = list(dict.fromkeys(error.message for error in errors))
    return Findings(messages, built.warnings, [_confined(*each) for each in confining.items()])


def _confining(composition: Composition) -> dict[str, dict[str, str]]:
    """What confines whom, as far as that can be found out."""
    found: dict[str, dict[str, str]] = {}
    with suppress(StartupError):  # the server says so in its log
        found["models"] = composition.sandbox()
    with suppress(StartupError):  # an error that was told already
        found["HTTP workers"] = WorkerSandbox.of(composition).parts
    return found


def _confined(who: str, parts: Mapping[str, str]) -> str:
    present = [f"{n} ({w})" for n, w in parts.items() if not w.startswith(MISSING)]
    return f"{who} are confined by {'; '.join(present)}" if present else f"{who} are not confined"


def _status(plugin: Plugin, broken: Container[str]) -> Literal["active", "disabled", "broken"]:
    if plugin.disabled:
        return "disabled"
    return "broken" if plugin.module in broken else "active"


def _why_disabled(config: Config, plugin: Plugin) -> str:
    names = [name for name in config.plugins.disabled if plugin.is_called(name)]
    return f"[plugins] disabled lists {names[0]}" if names else ""


def _settings(plugins: Plugins) -> dict[str, list[str]]:
    """The keys that each plugin takes, by its module."""
    tables = [("section", f"plugins.{n}", n, kind) for n, kind in plugins.sections().items()]
    for name, factory in plugins.storages().items():
        if is_struct(table := getattr(factory, "table", None)):
            tables.append(("storage", "storage", name, table))
    found: dict[str, list[str]] = {}
    for kind, path, name, table in tables:
        of_plugin = found.setdefault(plugins.owner(kind, name), [])
        of_plugin += [f"{path}.{key}" for key in keys_of(table)]
    return found


class _Built(msgspec.Struct):
    plugins: Plugins
    composition: Composition | None = None
    listeners: list[OwnedListener] = []
    warnings: list[str] = []


def _built(config: Config, commands: Collection[str], report: _Report) -> _Built:
    """What a server builds, as far as that goes; all that is wrong goes to ``report``."""
    built = _Built(plugins_of(config, report))
    built.plugins.commands(commands)
    config = _without_wrong_kinds(config, built, report)
    try:
        if (tls := config.tls_files) is not None:
            tls.context()
        built.composition = Composition.of(config, built.plugins)
    except StartupError as error:
        report(error)
        _ask_all(config, built.plugins)
    else:
        host = Host.at_rest(built.composition)
        host.routes()
        host.services()
        built.listeners = built.plugins.listeners(built.composition.config)
        try:
            built.composition.check_reach(built.listeners)
            WorkerSandbox.of(built.composition)
        except StartupError as error:
            report(error)
    return built


def _ask_all(config: Config, plugins: Plugins) -> None:
    """But for what takes a host, and for listeners, which have to know their addresses."""
    plugins.codecs(config)
    plugins.storages()
    plugins.runtimes()
    plugins.engines()


def _without_wrong_kinds(config: Config, built: _Built, report: _Report) -> Config:
    """``config`` with the defaults in place of a storage or engine that cannot be made."""
    try:
        built.warnings += built.plugins.examine_storage(config)
    except StartupError as error:
        report(error)
        config = msgspec.structs.replace(config, storage=StorageTable())
    try:
        built.plugins.engine(config)
    except StartupError as error:
        report(error)
        engine = msgspec.structs.replace(config.engine, kind=EngineTable().kind)
        config = msgspec.structs.replace(config, engine=engine)
    return config


def _unmade_engine(composition: Composition) -> Iterator[StartupError]:
    kind = composition.config.engine.kind
    try:
        asyncio.run(_make_engine(composition))
    except StartupError as error:
        yield error
    except Exception as error:
        what = f"failed in closing the engine `{kind}`: {described(error)}"
        yield composition.plugins.blame("engine", kind, what)


async def _make_engine(composition: Composition) -> None:
    """Makes both parts, as the parent and a worker do, and closes them."""
    async with AsyncExitStack() as made:
        theirs: socket.socket | None = None
        supervisor = composition.supervisor()
        if supervisor is not None:
            made.push_async_callback(supervisor.close)
            ours, theirs = socket.socketpair()
            made.enter_context(ours)
        engine = composition.engine(WorkerPlace(engine_socket=theirs))
        made.push_async_callback(engine.close)


def _unready_runtimes(composition: Composition) -> Iterator[StartupError]:
    try:
        unready = composition.examine_runtimes()
    except StartupError as error:
        yield error
        return
    for name, reason in unready.items():
        what = f"registers the runtime `{name}`, whose models cannot be started: {reason}"
        yield composition.plugins.blame("runtime", name, what)


def _unknown_disabled(config: Config, plugins: Plugins) -> Iterator[StartupError]:
    for name in config.plugins.disabled:
        if not any(plugin.is_called(name) for plugin in plugins.found):
            yield ConfigError(f"no plugin is called `{name}` - at `$.plugins.disabled`")


def _own_address(config: Config, report: _Report) -> None:
    """Reports one that the server cannot have. A server may be running there: it has this one."""
    try:
        is_free_address(config.server.host, config.server.port)
    except StartupError as error:
        report(error)


def _listeners(owned: Collection[OwnedListener], report: _Report) -> list[str]:
    """What to warn of: addresses that somebody has. Those that cannot be had go to ``report``."""
    warnings = []
    for each in owned:
        blame = each.cannot_listen
        try:
            if not is_free_address(each.listener.host, each.listener.port, blame):
                warnings.append(blame("somebody listens there, perhaps this server").message)
        except StartupError as error:
            report(error)
    return warnings
