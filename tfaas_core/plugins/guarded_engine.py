"""GuardedEngineFactory: an engine factory whose failures are errors that name its plugin."""

from __future__ import annotations

from functools import partial
from types import NoneType

from tfaas_core.engine.base import Engine, EngineContext, EngineFactory, Supervisor, WorkerContext
from tfaas_core.plugins.calls import EXAMINE_LIMIT_S, make, shown
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.system.output.one_line import one_line


class GuardedEngineFactory(EngineFactory):
    """Does what ``factory`` does, which ``plugin`` registered as ``kind``."""

    def __init__(self, plugin: Plugin, kind: str, factory: EngineFactory) -> None:
        self._plugin = plugin
        self._kind = kind
        self._factory = factory
        self.table = factory.table  # type: ignore[misc]

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        """As the factory's; raises PluginError and ConfigError."""
        doing = f"making the supervisor of the engine `{self._kind}`"
        made = partial(self._factory.supervisor, context)
        return make(self._plugin, doing, (Supervisor, NoneType), made)

    def engine(self, context: WorkerContext) -> Engine:
        """As the factory's; raises PluginError and ConfigError."""
        doing = f"making the engine `{self._kind}`"
        return make(self._plugin, doing, Engine, partial(self._factory.engine, context))

    def sandbox(self, context: EngineContext) -> dict[str, str]:
        """As the factory's, each in one line; raises PluginError and ConfigError."""
        doing = f"asking the engine `{self._kind}` for its sandbox"
        found = make(self._plugin, doing, dict, partial(self._factory.sandbox, context))
        for name, what in found.items():
            if not isinstance(name, str) or not isinstance(what, str):
                returned = f"returned {shown({name: what})} in {doing}"
                raise broken(self._plugin, f"{returned}, expected text by the names of parts")
        return {name: one_line(what) for name, what in found.items()}

    def examine(self, context: EngineContext) -> dict[str, str]:
        """As the factory's, each clause in one line; raises PluginError and ConfigError."""
        doing = f"examining the engine `{self._kind}`"
        examined = partial(self._factory.examine, context)
        found = make(self._plugin, doing, dict, examined, EXAMINE_LIMIT_S)
        for name, clause in found.items():
            if name not in context.runtimes or not isinstance(clause, str):
                returned = f"returned {shown({name: clause})} in {doing}"
                raise broken(self._plugin, f"{returned}, expected clauses by the names of runtimes")
        return {name: one_line(clause) for name, clause in found.items()}
