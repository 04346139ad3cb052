"""The hooks that a plugin can implement. They run at start-up; no request ever calls one.

A plugin is a module with functions of these names, marked ``@hookimpl``, and an entry point of the
group ``tfaas`` that names the module. A hook may leave out arguments that it does not need. What it
raises, or returns of a wrong type, is a start-up error that names the plugin and the hook; so is
a hook that does not return within 10 s, and a name, media type or path that another plugin claims
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click
    from msgspec import Struct

    from tfaas_core.codec import Codec
    from tfaas_core.config import Config
    from tfaas_core.engine.base import EngineFactory
    from tfaas_core.guard import Guard
    from tfaas_core.host import Host
    from tfaas_core.listener import Listener
    from tfaas_core.observer import Observer
    from tfaas_core.route import Route
    from tfaas_core.runtime import Runtime
    from tfaas_core.service import Service
    from tfaas_core.storage import StorageFactory

PROJECT = "tfaas"
"""pluggy's name for these hooks, and the group of the entry points."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """What the tables ``[plugins.NAME]`` are that the plugin takes, by name.

    A table is a ``msgspec.Struct``, whose fields are its keys; a ``Secret`` among them may be a
    text or say where that is. It is checked as the other tables are, and then what
    ``config.settings(NAME)`` gives: to every hook that gets a ``config`` or a ``host``, which has
    it. A table that is not configured has the defaults. Called in every process. A name belongs
    to one plugin.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_codecs(config: Config) -> Iterable[Codec[Any]]:
    """Codecs to serve, one object each.

    Called in every HTTP worker, and by the commands that list or check plugins. A codec's name,
    and each of its media types but ``*/*``, belongs to one codec.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_storages() -> Mapping[str, StorageFactory]:
    """Storages under the names that ``[storage] kind`` chooses them by.

    Called in every process. Only the chosen factory is called, with the rest of the ``[storage]``
    table; it checks the table, and leaves the disk and network for ``Storage.open``.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_runtimes() -> Mapping[str, Runtime]:
    """Runtimes under their names, which stored versions remember.

    Called in every process, so importing the plugin and making the Runtime must not import its
    heavy libraries: those belong in ``Runtime.preload`` and ``Runtime.load``.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_engines() -> Mapping[str, EngineFactory]:
    """Engines under the names that ``[engine] kind`` chooses them by.

    Called in every process. Only the chosen factory is called.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_guards(host: Host) -> Iterable[Guard]:
    """Guards, all of which must allow what is asked.

    Called like ``tfaas_register_routes``. With no guard, requests cost what they cost without this
    hook.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """Observers, which are told of every answer, and of what happens to models.

    Called like ``tfaas_register_routes``. With no observer of answers, requests cost what they cost
    without this hook.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """Routes to serve besides the predict routes, which codecs have without asking.

    Called in every HTTP worker, once its ``host`` is started; handlers may keep it. Called, too, by
    ``tfaas serve`` before it starts anything, and by the commands that list or check plugins, with
    a host at rest: that has the same attributes, but its storage is closed and its engine runs
    nothing, and no handler is called. A method of a path belongs to one plugin.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_services(host: Host) -> Iterable[Service]:
    """Services: methods that clients call by name, where a listener serves them, as gRPC's does.

    Called like ``tfaas_register_routes``. A service's name belongs to one plugin.
    """
    raise NotImplementedError


@hookspec
def tfaas_lifespan(host: Host) -> AbstractAsyncContextManager[None]:
    """What goes on beside serving: entered before an HTTP worker serves, left after it has.

    Called in every HTTP worker, once its ``host`` is started. What it returns is entered before the
    worker accepts connections, the plugins in order, those marked ``tryfirst`` first and those
    marked ``trylast`` last. It is left in the reverse order, after the last request is answered and
    before engine and storage are closed; each within 10 s. Called, too, like
    ``tfaas_register_routes``, with a host at rest; then it is not entered.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_listeners(config: Config) -> Iterable[Listener]:
    """Where the server listens beside its own port, one object each.

    Called by ``tfaas serve``, which binds the addresses before it starts anything, in every HTTP
    worker, which gets the sockets, and by the commands that list or check plugins; it returns the
    same each time. A listener's name belongs to one plugin, and so does an address but port 0.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_memory(config: Config) -> Mapping[str, int]:
    """Memory that all HTTP workers share, as sizes in bytes by name.

    ``host.memory[NAME]`` has it in each worker. Called by ``tfaas serve``, which makes it before it
    starts the first worker, and like ``tfaas_register_routes``; it returns the same each time. A
    name belongs to one plugin.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_written(config: Config) -> Iterable[Path]:
    """Files and folders that the plugin changes in HTTP workers, which may change no others.

    Called by ``tfaas serve`` before it starts the first worker, and by ``tfaas check``. Of a
    file, the whole folder that it lies in may be changed, so that the file may be made anew.
    """
    raise NotImplementedError


@hookspec
def tfaas_register_commands() -> Iterable[click.Command]:
    """Commands of ``tfaas``, one object each.

    Called if somebody types a command that is not built in, and by the commands that list or check
    plugins; not by a server. A command's name belongs to one plugin, and is not a built-in one's.
    """
    raise NotImplementedError
