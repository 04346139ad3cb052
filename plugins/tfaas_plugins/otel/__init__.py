"""Traces, a plugin: what becomes of requests, for OpenTelemetry, if ``[plugins.otel]`` says where
to send it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.observer import Observer
from tfaas_core.secret import Secret, resolve

if TYPE_CHECKING:
    from tfaas_plugins.otel.tracing import Tracing

NAME = "otel"
_PATH = f"$.plugins.{NAME}"


class OtelTable(Struct, frozen=True):
    """``[plugins.otel]``: where traces go, and of which requests there are any."""

    endpoint: str = ""
    """The URL of an OTLP receiver, which speaks HTTP, like ``http://localhost:4318``; empty: there
    are no traces."""
    sample: Annotated[float, Meta(ge=0, le=1)] = 0.01
    """Of requests whose client does not say whether they are traced, how many are."""
    trusts_clients: bool = True
    """Whether a client's ``traceparent`` counts: its trace is gone on with, and it says whether."""
    headers: dict[str, Secret] = {}
    """What is sent along, such as a token of the receiver."""
    service: Annotated[str, Meta(min_length=1)] = "tfaas"
    """What the server is called in traces."""

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError(f"endpoint is {self.endpoint!r}, it should be like http://host:4318")


@hookimpl
def tfaas_config_sections() -> Mapping[str, type[Struct]]:
    """The table ``[plugins.otel]``."""
    return {NAME: OtelTable}


@hookimpl
@asynccontextmanager
async def tfaas_lifespan(host: Host) -> AsyncIterator[None]:
    """Sends traces while the worker serves, and at its end those that are left."""
    table: OtelTable = host.settings(NAME)
    if not table.endpoint:
        yield
        return
    tracing = host.shared[NAME] = _tracing(host.config, table)
    tracing.start()
    try:
        yield
    finally:
        await asyncio.to_thread(tracing.close)


@hookimpl
def tfaas_register_observers(host: Host) -> Iterable[Observer]:
    """Registers what follows requests, if traces go anywhere."""
    table: OtelTable = host.settings(NAME)
    if table.endpoint:
        yield host.shared.get(NAME) or _tracing(host.config, table)


def _tracing(config: Config, table: OtelTable) -> Tracing:
    """Imports what only a server with traces has to have."""
    try:
        from tfaas_plugins.otel.tracing import Tracing
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(
            f"traces take the package {package}, which is not installed; "
            f"pip install 'tfaas[otel]' - at `{_PATH}`"
        ) from None
    headers = {
        name: resolve(secret, config.base_dir, f"{_PATH}.headers.{name}")
        for name, secret in table.headers.items()
    }
    return Tracing(table.endpoint, headers, table.service, table.sample, table.trusts_clients)
