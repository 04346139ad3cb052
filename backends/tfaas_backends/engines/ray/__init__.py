"""The engine ``kind = "ray"``: models on the nodes of a Ray cluster, each behind a door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click

from tfaas_backends.engines.ray.command import cluster
from tfaas_backends.engines.ray.factory import RayEngineFactory
from tfaas_backends.engines.ray.table import RAY
from tfaas_core.engine.base import EngineFactory
from tfaas_core.hookspecs import hookimpl


@hookimpl
def tfaas_register_engines() -> Mapping[str, EngineFactory]:
    return {RAY: RayEngineFactory()}


@hookimpl
def tfaas_register_commands() -> Iterable[click.Command]:
    """``tfaas cluster``."""
    return [cluster]
