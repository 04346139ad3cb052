"""``tfaas models``."""

from __future__ import annotations

from typing import Any

import click

from tfaas_core.cli.client import Client, url_option
from tfaas_core.cli.options import json_option, print_json, print_table

_COLUMNS = ("name", "version", "runtime", "size")


@click.command(epilog="Example: tfaas models --url http://127.0.0.1:8083")
@url_option
@json_option
def models(client: Client, as_json: bool) -> None:
    """List the models of a running server."""
    records = client.records("/models")
    if as_json:
        print_json(records)
        return
    header = ("NAME", "VERSION", "RUNTIME", "BYTES", "INPUTS", "OUTPUTS")
    print_table(header, [_row(record) for record in records])


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    # The records of classic servers have a name, and no signature.
    cells = [str(record.get(key, "?")) for key in _COLUMNS]
    return (*cells, inputs_of(record), outputs_of(record))


def inputs_of(record: dict[str, Any]) -> str:
    """A model's inputs, like ``x float32 [?, 29], y float32 [?, 1]``."""
    return _tensors(record, "inputs", "inputNode")


def outputs_of(record: dict[str, Any]) -> str:
    """A model's outputs, likewise."""
    return _tensors(record, "outputs", "outputNode")


def _tensors(record: dict[str, Any], end: str, node: str) -> str:
    if "signature" not in record:
        return str(record.get(node, "?"))
    return ", ".join(
        f"{tensor['name']} {tensor['dtype']} {shape_text(tensor['shape'])}"
        for tensor in record["signature"][end]
    )


def shape_text(shape: list[int | None] | None) -> str:
    """A shape like ``[?, 29]``."""
    if shape is None:
        return "of any shape"
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
