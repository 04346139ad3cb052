"""Renewal: what a running server takes of its configuration and certificates once they changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, TypeAlias

import msgspec

from tfaas_core.config import Config, Tables
from tfaas_core.errors import ConfigError
from tfaas_core.host import Host
from tfaas_core.processes.broken_start import start_error
from tfaas_core.settings.checks import REST
from tfaas_core.system.output import logs
from tfaas_core.wiring.composition import Composition

LIVE = {
    "server": ("log_level", "log_format", "tls_cert", "tls_key", "tls_client_ca"),
    "limits": ("max_upload_bytes", "max_unpacked_bytes", "max_bundle_files"),
}
"""The keys that take effect in a running server, beside the tables of guards that say so."""

_POLL_S = 1.0

_log = logging.getLogger("tfaas.parent")


TakenBy: TypeAlias = Callable[[Config], Awaitable[bool]]
"""Has all workers take a configuration; returns whether they could."""

MakeRenewal: TypeAlias = "Callable[[TakenBy], Renewal]"


class Renewal:
    """Reads the configuration again when asked to, and certificates whenever their files change.

    What is wrong with them is in the log, and the former ones hold. ``read`` gives the
    configuration, or raises. ``live_tables``: those ``[plugins.NAME]`` that take effect at once.
    """

    def __init__(
        self,
        composition: Composition,
        read: Callable[[], Config],
        live_tables: Collection[str],
        tell: TakenBy,
    ) -> None:
        self.config = composition.config
        """The one that holds."""
        self._composition = composition
        self._read = read
        self._live_tables = live_tables
        self._tell = tell
        self._asked = asyncio.Event()
        self._stamp = self._seen = self._stamp_now()

    def ask(self) -> None:
        """Has everything read again."""
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._turn()
            except Exception:  # it is asked again
                _log.exception("what has changed could not be taken")

    async def _turn(self) -> None:
        limit_s = None if self.config.tls_files is None else _POLL_S
        try:
            await asyncio.wait_for(self._asked.wait(), limit_s)
        except TimeoutError:
            await self._look_at_certificates()
            return
        self._asked.clear()
        await self._renew()

    async def _renew(self) -> None:
        stamp = self._stamp_now()
        try:
            read = self._composition.plugins.configured(self._read())
            taken = merged(self.config, read, self._live_tables)
            # It reads what the configuration names, as at a start.
            _ = Host.at_rest(msgspec.structs.replace(self._composition, config=taken)).guards
        except (Exception, SystemExit) as error:  # a plugin may call exit()
            wrong = start_error("the configuration cannot be read", error, self.config)
            _log.error("nothing was changed at SIGHUP: %s", wrong.message)
            return
        changed = ", ".join(changed_keys(self.config, taken)) or "none"
        self._stamp = self._seen = stamp
        what = "the configuration was read again, and the files that it names"
        await self._take(taken, f"{what}; keys that changed: {changed}")
        if left := list(changed_keys(taken, read)):
            _log.warning("these changes take effect at the next start: %s", ", ".join(left))

    async def _look_at_certificates(self) -> None:
        stamp = self._stamp_now()
        # A file that was just changed may be half of a change.
        is_still, self._seen = stamp == self._seen, stamp
        if stamp == self._stamp or not is_still:
            return
        self._stamp = stamp
        files = self.config.tls_files
        assert files is not None
        try:
            files.context()
        except ConfigError as error:
            _log.error("the certificates have changed, and the former hold: %s", error.message)
            return
        await self._take(self.config, "the certificates were read again")

    async def _take(self, config: Config, what: str) -> None:
        self.config = config
        logs.configure(config.server.log_level, config.server.log_format, *config.plugin_folders)
        could = await self._tell(config)
        files = config.tls_files
        for warning in () if files is None else files.warnings():
            _log.warning("%s", warning)
        if could:
            _log.info("%s", what)

    def _stamp_now(self) -> object:
        files = self.config.tls_files
        return None if files is None else files.stamp()


def merged(before: Config, read: Config, live_tables: Collection[str]) -> Config:
    """``before`` with what takes effect at once of what was read, both with their sections."""
    tables = {name: _merged(before, read, name) for name in LIVE}
    live = {name: read.sections[name] for name in live_tables if name in read.sections}
    rest = {name: raw for name, raw in before.plugins.rest.items() if name not in live}
    rest |= {name: raw for name, raw in read.plugins.rest.items() if name in live}
    return msgspec.structs.replace(
        before,
        **tables,
        plugins=msgspec.structs.replace(before.plugins, rest=rest),
        sections={**before.sections, **live},
        changed=read.changed,
    )


def _merged(before: Config, read: Config, name: str) -> msgspec.Struct:
    live = {key: getattr(getattr(read, name), key) for key in LIVE[name]}
    # Sockets that speak plain HTTP go on to do so, and those that speak TLS, too.
    if name == "server" and before.server.scheme != read.server.scheme:
        live = {key: value for key, value in live.items() if not key.startswith("tls_")}
    table: msgspec.Struct = getattr(before, name)
    return msgspec.structs.replace(table, **live)


def changed_keys(before: Config, after: Config) -> Iterator[str]:
    """The keys that differ, like ``server.port``, and tables of plugins, like ``plugins.mine``."""
    for table in Tables.__struct_fields__:
        old, new = _keys(getattr(before, table)), _keys(getattr(after, table))
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                yield f"{table}.{key}"


def _keys(table: msgspec.Struct) -> dict[str, Any]:
    document = {field: getattr(table, field) for field in table.__struct_fields__}
    return {**document.pop(REST, {}), **document}
