"""``tfaas inspect``."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.client import reason
from tfaas_core.cli.options import config_options, json_option, print_json, print_table, read_config

if TYPE_CHECKING:
    from tfaas_core.tensors import Signature
    from tfaas_core.tools.inspection import Inspection


@click.command(epilog="Example: tfaas inspect vk.pb --params params.json")
@click.argument(
    "model", metavar="PATH", type=click.Path(exists=True, readable=True, path_type=Path)
)
@click.option(
    "--params",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the params.json to this new file, instead of printing it.",
)
@config_options
@json_option
def inspect(
    model: Path, params: Path | None, path: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Check whether a server would accept a model.

    PATH is a frozen graph (.pb), a tarball, or the folder of a SavedModel. It is loaded as a
    server would load it. Prints its inputs, outputs and ops, and a params.json to start from.
    Fails if a server would refuse the model.
    """
    config = read_config(path, overrides)
    if params is not None and params.exists():
        raise click.ClickException(f"{params} is there already: name a new file, or remove it")

    from tfaas_core.tools.inspection import inspect_model

    inspection = inspect_model(model, config)
    if as_json:
        print_json(inspection)
    elif inspection.runtime:
        _print(inspection, with_params=params is None)
    if inspection.refusal:
        raise click.ClickException(f"a server would refuse {model}: {inspection.refusal}")
    if params is not None:
        _write(params, inspection.params)


def _print(inspection: Inspection, with_params: bool) -> None:
    facts = [("runtime", inspection.runtime), ("bytes", str(inspection.size))]
    signature = inspection.signature
    if signature is not None:
        facts.append(("server", "would serve it"))
        facts.append(("batch axis", str(signature.batch)))
        shared = "may" if inspection.mergeable else "may not"
        facts.append(("rows", f"{shared} share a run: {inspection.merge_reason}"))
        if "reason" in inspection.engine:
            facts.append(("engine", "{name}: {reason}".format_map(inspection.engine)))
        if "mode" in inspection.engine:
            facts.append(("mode", "{mode}: {mode_reason}".format_map(inspection.engine)))
        if inspection.examples:
            facts.append(("examples", f"{inspection.examples}, all reproduced"))
        facts += _tensors(signature)
    print_table(facts[0], facts[1:])
    if inspection.ops:
        click.echo()
        ops = [(str(count), op) for op, count in inspection.ops.items()]
        print_table(("COUNT", "OP"), ops)
    if with_params and signature is not None:
        click.echo("\nparams.json to start from:")
        print_json(inspection.params)


def _tensors(signature: Signature) -> list[tuple[str, str]]:
    facts = []
    for spec in signature.inputs:
        default = "" if spec.default is None else f", default {reprlib.repr(spec.default)}"
        facts.append(("input", f"{spec.name} {spec}{default}"))
    facts += [("unused", name) for name in signature.unused]
    facts += [("output", f"{spec.name} {spec}") for spec in signature.outputs]
    return facts + [("left out", what) for what in signature.left_out]


def _write(file: Path, params: dict[str, Any]) -> None:
    import msgspec

    content = msgspec.json.format(msgspec.json.encode(params)) + b"\n"
    try:
        with file.open("xb") as new:
            new.write(content)
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {reason(error)}") from None
