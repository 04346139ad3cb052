"""Origin: whose model a servable is, and whose code: for answers, and for the log."""

from __future__ import annotations

import logging

import msgspec

from tfaas_core.engine.shared.suspect import details_of
from tfaas_core.errors import SEE_LOG, CannotServe, TfaasError, Unavailable
from tfaas_core.system.output.one_line import described
from tfaas_core.system.resources.shortage import shortage_in
from tfaas_core.withheld import without_folders

_MOST_REASON = 500

_log = logging.getLogger("tfaas.engine")


class Origin(msgspec.Struct):
    """``name`` is the model's; ``key`` names the version too, for the log.

    ``plugin`` is the module of the plugin that its runtime comes from, if that is known.
    """

    name: str = ""
    key: str = "the model"
    plugin: str = ""

    def broke(self, what: str, error: BaseException) -> None:
        """Logs what the plugin must not have raised."""
        _log.error("%s: %s %s", self.key, self._who(), what, exc_info=error)

    def raised(self, error: TfaasError, doing: str) -> None:
        """Logs an error of status 500, which is a bug, whatever its class."""
        if error.status == 500:
            self.broke(f"raises {type(error).__name__} of status 500 in {doing}", error)

    def is_lost(self, error: BaseException) -> None:
        """Logs why the servable answers no more: its ``reset`` or ``close`` raises, say."""
        _log.critical(
            "%s is lost: the thread that answers broke, in a model of %s",
            self.key,
            self._who(),
            exc_info=error,
        )

    def run_failed(self, error: BaseException) -> TfaasError:
        """Logs it, and gives what a client is told."""
        self.broke("raises or answers what it must not", error)
        if isinstance(error, MemoryError):
            return Unavailable("there is not enough memory for this run; send fewer rows at a time")
        if (shortage := shortage_in(error)) is not None:
            reason = shortage.strerror or type(shortage).__name__
            message = f"the model cannot be run at the moment: {reason}; try again{SEE_LOG}"
            return Unavailable(message, **self._details())
        return TfaasError(self._says("a run", type(error).__name__), **self._details())

    def load_failed(self, error: BaseException) -> CannotServe:
        """Logs it, and gives what a client is told.

        That is the error's text too: a model may hold Python code, and whoever uploads it needs to
        know what is wrong with that. Where its files are on this machine, the log alone says.
        """
        self.broke("cannot load it", error)
        reason = described(error)[:_MOST_REASON]
        told = self._says("the load", without_folders(reason))
        return CannotServe(self._says("the load", reason), told, **self._details())

    def _who(self) -> str:
        return f"the runtime of plugin {self.plugin}" if self.plugin else "the runtime"

    def _says(self, doing: str, reason: str) -> str:
        of_model = f" of model {self.name!r}" if self.name else ""
        return f"{self._who()} failed in {doing}{of_model}: {reason}{SEE_LOG}"

    def _details(self) -> dict[str, str]:
        return details_of(self.name, self.plugin)
