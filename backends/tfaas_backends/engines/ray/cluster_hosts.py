"""ClusterHosts: the hosts of a cluster, for whoever looks after them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click

from tfaas_backends.engines.ray import connection, host_config
from tfaas_backends.engines.ray.factory import check_ray
from tfaas_backends.engines.ray.table import PATH, RAY, RayTable
from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, StartupError
from tfaas_core.plugins import plugins_of
from tfaas_core.system.output.one_line import described
from tfaas_core.system.output.stdout import stdout_is_stderr

_MOST_SHOWN = 200
"""Of what Ray says, which may be pages."""


class ClusterHosts:
    """Connected to the cluster in the block. Raises StartupError, which says why it cannot be."""

    def __init__(self, config: Config) -> None:
        self._config = config
        check_ray()
        self._table: RayTable = plugins_of(config).configured(config).engine_settings(RAY)
        if not self._table.address:
            raise ConfigError(
                "name the cluster, like `ray://10.0.0.1:10001`; a server's own Ray is for that "
                f"server, and `tfaas top` shows its models - at `{PATH}.address`"
            )

    def __enter__(self) -> ClusterHosts:
        try:
            with stdout_is_stderr(), self._in_time():
                connection.connect(self._table)
        except Exception as error:
            where = self._table.address
            raise StartupError(
                f"the Ray cluster {where} cannot be used: {described(error)}"
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection.disconnect()

    def nodes(self) -> list[dict[str, Any]]:
        """All of the cluster, with their hosts and models."""
        controller = self._found()
        nodes: list[dict[str, Any]] = _answer(controller, lambda: controller.nodes.remote())
        return nodes

    def restart(self) -> list[str]:
        """Returns once all hosts run by this configuration, with which of them had to be killed.

        Raises StartupError if one does not start.
        """
        controller = self._found()
        packed = host_config.packed(self._config)
        killed, why = _answer(controller, lambda: controller.renew.remote(packed))
        if why:
            rest = f"{why}; those that come after it run as before"
            raise StartupError("; ".join([*killed, rest]))
        connection.end_actor(controller)
        connection.controller(self._table, self._config)
        return list(killed)

    def stop(self) -> list[str]:
        """Returns once there is no host any more, with which of them had to be killed."""
        controller = self._found()
        killed: list[str] = _answer(controller, lambda: controller.stop.remote())
        connection.end_actor(controller)
        return killed

    def _found(self) -> Any:
        with self._in_time():
            found = connection.controller_if_any(self._table)
        if found is None:
            raise StartupError(
                f"no server has started hosts of the name {self._table.name!r} ({PATH[2:]}.name) "
                f"in the Ray cluster {self._table.address}"
            )
        return found

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Ends the process if the block hangs: Ray would wait for ever, also at Ctrl-C."""
        timer = threading.Timer(self._table.start_limit_s, self._give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        limit = f"{self._table.start_limit_s:g} s ({PATH[2:]}.start_limit_s)"
        where = f"the Ray cluster {self._table.address}"
        click.echo(f"tfaas: {where} does not answer within {limit}", err=True)
        os._exit(1)


def _answer(controller: Any, ask: Callable[[], Any]) -> Any:
    try:
        return connection.asked(controller, ask())
    except connection.lost_errors() as error:  # of one that has just ended, ``ask`` raises it
        what, why = "the controller of hosts cannot be asked", described(error)[:_MOST_SHOWN]
        raise StartupError(f"{what}: {why}; try again") from error
