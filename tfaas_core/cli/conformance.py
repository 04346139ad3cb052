"""``tfaas conformance``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from tfaas_core.cli.client import Client, client_at, tls_of, tls_options, token_of_environment
from tfaas_core.cli.options import json_option, print_json, print_table

if TYPE_CHECKING:
    from tfaas_core.testing.conformance import Case, Outcome, Subject

_MAX_TIMEOUT_S = 3600

_PROTOCOLS = ("tfserving", "oip")


def _headers(
    _context: click.Context, _option: click.Parameter, lines: tuple[str, ...]
) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise click.BadParameter(f"{line!r} is not like 'Authorization: Bearer TOKEN'")
        if not (value.isascii() and value.isprintable()):
            raise click.BadParameter(f"the value of {name} is not one line of ASCII")
        headers[name] = value.strip()
    return headers


def _seconds(_context: click.Context, _option: click.Parameter, seconds: float) -> float:
    # NaN is in no range.
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise click.BadParameter(f"{seconds:g} is not above 0, and at most {_MAX_TIMEOUT_S}")
    return seconds


@click.command(epilog="Example: tfaas conformance http://localhost:8000 --protocol oip")
@click.argument("url", required=False)
@click.option(
    "--protocol",
    "protocols",
    type=click.Choice(_PROTOCOLS),
    multiple=True,
    help="By default both. oip is the Open Inference Protocol, of KServe and Triton.",
)
@click.option(
    "--only",
    metavar="PATTERN",
    default="",
    help="Only the cases whose id has this in it, or is like oip.infer.*",
)
@click.option("--must", "must_alone", is_flag=True, help="Only what clients depend on.")
@click.option(
    "--write-models",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="First write the models that a server has to serve. Without URL, do nothing else.",
)
@click.option("--upload", is_flag=True, help="First upload the models, to a TFaaS server.")
@click.option(
    "--header",
    "headers",
    metavar="LINE",
    multiple=True,
    callback=_headers,
    help="Send it with each request, like 'Authorization: Bearer TOKEN'. May be given again.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=float,
    callback=_seconds,
    default=30.0,
    show_default=True,
    help="How long each answer may take.",
)
@click.option("-v", "--verbose", is_flag=True, help="Name the cases that passed, too.")
@tls_options
@json_option
@click.pass_context
def conformance(
    context: click.Context,
    url: str | None,
    protocols: tuple[str, ...],
    only: str,
    must_alone: bool,
    write_models: Path | None,
    upload: bool,
    headers: dict[str, str],
    timeout_s: float,
    verbose: bool,
    as_json: bool,
) -> int:
    """Try whether a server keeps to the protocols that it speaks.

    Any server at URL: Triton, KServe, TensorFlow Serving, TFaaS. It has to serve the models that
    --write-models writes. Cases for what it lacks, or does not announce, are skipped. Fails if a
    case failed, or none passed.
    """
    if url is None and (write_models is None or upload):
        raise click.UsageError("give the URL of a server, or --write-models FOLDER")
    if write_models is not None:
        _write(write_models)
    if upload and url is not None:
        _upload(client_at(context, url))
    if url is None:
        return 0
    from tfaas_core.testing.conformance import cases

    chosen = [c for p in protocols or _PROTOCOLS for c in cases(p, only, must_alone)]
    if not chosen:
        raise click.ClickException(f"no case is like {only!r}")
    return _tried(_subject(context, url, headers, timeout_s), chosen, verbose, as_json)


def _subject(
    context: click.Context, url: str, headers: dict[str, str], timeout_s: float
) -> Subject:
    from tfaas_core.testing.conformance import Subject

    token = token_of_environment()
    if token and "authorization" not in {name.lower() for name in headers}:
        headers = {**headers, "Authorization": f"Bearer {token}"}
    try:
        return Subject(url, headers, timeout_s, tls_of(context))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None


def _tried(subject: Subject, chosen: Sequence[Case], verbose: bool, as_json: bool) -> int:
    from tfaas_core.testing.conformance.report import ConformanceReport

    outcomes = []
    for case in chosen:
        outcomes.append(outcome := subject.outcome(case))
        if not as_json and (verbose or outcome.fault is not None):
            click.echo(str(outcome))
    report = ConformanceReport(outcomes)
    if as_json:
        print_json(report.document())
    else:
        _print_reasons([] if verbose else report.outcomes)
        print_table(("GROUP", "PASSED", "FAILED", "SKIPPED"), report.rows())
    return 0 if report.conforms else 1


def _print_reasons(outcomes: Sequence[Outcome]) -> None:
    """Each reason once, with how many cases were not tried for it."""
    reasons = Counter((outcome.result, outcome.reason) for outcome in outcomes if outcome.reason)
    for (result, reason), number in reasons.items():
        click.echo(f"{result} {number}: {reason}")


def _write(folder: Path) -> None:
    from tfaas_core.testing.conformance.models import CannotWrite, write_models

    try:
        write_models(folder)
    except CannotWrite as error:
        raise click.ClickException(f"the models cannot be written: {error}") from None


def _upload(client: Client) -> None:
    from tfaas_core.cli.conformance_models import give_labels, missing_versions, upload_versions

    if missing := missing_versions(client):
        with TemporaryDirectory(prefix="tfaas-conformance-") as scratch:
            _write(Path(scratch))
            upload_versions(client, Path(scratch), missing)
    give_labels(client)
