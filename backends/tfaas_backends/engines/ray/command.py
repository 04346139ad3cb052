"""``tfaas cluster``: the hosts of ``engine.kind = "ray"``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.options import (
    config_options,
    json_option,
    print_json,
    print_table,
    read_config,
)

if TYPE_CHECKING:
    from tfaas_backends.engines.ray.cluster_hosts import ClusterHosts


@click.group(epilog="Example: tfaas cluster status --config tfaas.toml")
def cluster() -> None:
    """Look after the hosts that run models in a Ray cluster.

    Which cluster is what [engine.ray] of the configuration says.
    """


@cluster.command(epilog="Example: tfaas cluster status --json")
@config_options
@json_option
def status(path: Path | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the nodes, their hosts, and the models that each serves."""
    with _hosts(path, overrides) as hosts:
        nodes = hosts.nodes()
    if as_json:
        print_json(nodes)
    else:
        counts = Counter(model for node in nodes for model in node["models"])
        rows = [_row(node, counts) for node in nodes]
        print_table(("NODE", "ADDRESS", "STATE", "HOST", "MODELS"), rows)


@cluster.command(epilog="Example: tfaas cluster restart --config tfaas.toml")
@config_options
def restart(path: Path | None, overrides: tuple[str, ...]) -> None:
    """Start the hosts anew, by the configuration of this machine.

    One after the other: the others serve its models meanwhile.
    """
    with _hosts(path, overrides) as hosts:
        _tell(hosts.restart())


@cluster.command(epilog="Example: tfaas cluster stop --config tfaas.toml")
@config_options
def stop(path: Path | None, overrides: tuple[str, ...]) -> None:
    """End the hosts, once what they were asked is answered.

    Stop the servers first: one that runs has them started anew.
    """
    with _hosts(path, overrides) as hosts:
        _tell(hosts.stop())


def _hosts(path: Path | None, overrides: tuple[str, ...]) -> ClusterHosts:
    from tfaas_backends.engines.ray.cluster_hosts import ClusterHosts

    return ClusterHosts(read_config(path, overrides))


def _tell(killed: Sequence[str]) -> None:
    for why in killed:
        click.echo(f"tfaas: {why}", err=True)


def _row(node: dict[str, Any], counts: Mapping[str, int]) -> tuple[str, ...]:
    state = (
        "dead" if not node["alive"] else node["why"] or ("serves" if node["host"] else "no host")
    )
    models = [m if counts[m] == 1 else f"{m} ({counts[m]} hosts)" for m in node["models"]]
    return node["node"][:12], node["address"], state, node["host"], ", ".join(models)
