"""The connection to Ray: how it is begun, and the controller of hosts found or made there."""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
from typing import Any

from tfaas_backends.engines.ray import host_config
from tfaas_backends.engines.ray.table import NAMESPACE, RayTable
from tfaas_core.config import Config

_CONNECT_LIMIT_S = 5.0
_ALIVE_S = 30.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_COLOR_PREFIX": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}
"""For the environment of this process, and of those that it starts."""

_THIS_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""The same of a Ray at 127.0.0.1, which Ray would take for the address that others know else."""


def connect(table: RayTable) -> None:
    """Connects this process to the cluster. Raises what Ray does if that cannot be."""
    where = _where(table.address)
    host, _colon, port = where.removeprefix("ray://").rpartition(":")
    if host in ("127.0.0.1", "localhost"):
        os.environ.update(_THIS_MACHINE)
    try:  # Ray itself would try again for minutes
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_LIMIT_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers at {where}: {error.strerror or error}") from error
    _init(address=where, log_to_driver=False)


def _where(address: str) -> str:
    """With a host and a port: those that Ray takes ``auto`` for. Raises what it does."""
    if address != "auto":
        return address
    _quieten()
    from ray._private.services import canonicalize_bootstrap_address

    return canonicalize_bootstrap_address(address) or address


def start_own(table: RayTable, folder: str, store_bytes: int) -> None:
    """Starts a Ray of one node, which nobody reaches from elsewhere, with its files in ``folder``.

    Its processes end with this one. Raises what Ray does if that cannot be.
    """
    os.environ.update(_THIS_MACHINE, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    _init(
        address="local",
        _temp_dir=folder,
        num_cpus=max(1, math.ceil(table.num_cpus)),
        labels=table.labels or None,
        resources={table.resource: 1} if table.resource else None,
        object_store_memory=store_bytes,
        include_dashboard=False,
        _system_config={"enable_worker_prestart": False},
    )


def _init(**options: Any) -> None:
    _quieten()
    import ray

    ray.init(namespace=NAMESPACE, configure_logging=False, **options)


def _quieten() -> None:
    os.environ.update(_QUIET)
    import ray  # which sets the level of its loggers

    logging.getLogger(ray.__name__).setLevel(logging.ERROR)


def disconnect() -> None:
    """Ends what ``connect`` or ``start_own`` has begun."""
    import ray

    ray.shutdown()


def lost_errors() -> tuple[type[Exception], ...]:
    """What Ray raises if an actor cannot be asked, at the moment or any more."""
    from ray.exceptions import RayError

    return RayError, ConnectionError, TimeoutError, ValueError


def controller(table: RayTable, config: Config) -> Any:
    """The handle of the controller, which is made if there is none. Raises ``lost_errors``."""
    import ray

    from tfaas_backends.engines.ray.controller import Controller

    options = {
        "name": _name(table),
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "max_restarts": -1,
        "num_cpus": 0,
    }
    return ray.remote(Controller).options(**options).remote(host_config.packed(config))


def controller_if_any(table: RayTable) -> Any | None:
    """The handle of the controller; None if there is none."""
    import ray

    try:
        return ray.get_actor(_name(table), NAMESPACE)
    except ValueError:
        return None


def asked(controller: Any, question: Any) -> Any:
    """Waits for what the controller answers, as long as it lives. Raises ``lost_errors``."""
    import ray

    while not ray.wait([question], timeout=_ALIVE_S)[0]:
        ray.get(controller.digest.remote(), timeout=_ALIVE_S)
    return ray.get(question)


def end_actor(actor: Any) -> None:
    """For good."""
    import ray

    ray.kill(actor)


def _name(table: RayTable) -> str:
    return f"{table.name}-controller"
