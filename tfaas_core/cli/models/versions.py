"""``tfaas versions``."""

from __future__ import annotations

from typing import Any

import click

from tfaas_core.cli.client import Client, path_of, url_option
from tfaas_core.cli.options import json_option, print_json, print_table


@click.command(epilog="Example: tfaas versions vk")
@click.argument("name")
@url_option
@json_option
def versions(name: str, client: Client, as_json: bool) -> None:
    """List the versions of the model NAME.

    Tells which one is live, and which ones labels name.
    """
    records = client.records(path_of("models", name, "versions"))
    if as_json:
        print_json(records)
        return
    header = ("VERSION", "LIVE", "UPLOADED", "BYTES", "LABELS")
    print_table(header, [_row(record) for record in records])


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    version, uploaded, size = (str(record.get(key)) for key in ("version", "timestamp", "size"))
    live = "live" if record.get("live") else ""
    labels = ", ".join(record.get("versionLabels", []))
    return version, live, uploaded.partition(".")[0], size, labels
