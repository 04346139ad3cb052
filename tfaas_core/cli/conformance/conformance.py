"""``tfaas conformance``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from tfaas_core.cli.client import Client, client_at, tls_options
from tfaas_core.cli.conformance.subjects import grpc_subject_at, subject_at
from tfaas_core.cli.harmless import say
from tfaas_core.cli.options import json_option, print_json, print_table
from tfaas_core.files.temporary_folder import temporary_folder

if TYPE_CHECKING:
    from tfaas_core.testing.conformance import Case, CaseOutcome

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
    help="First write the models that a server has to serve.",
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
@click.option(
    "--grpc",
    "grpc_address",
    metavar="HOST:PORT",
    help="Try the protocols there, over gRPC; https://HOST:PORT: by TLS.",
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
    grpc_address: str | None,
    verbose: bool,
    as_json: bool,
) -> int:
    """Try whether a server keeps to the protocols that it speaks.

    Any server at URL: Triton, KServe, TensorFlow Serving, TFaaS. It has to serve the models that
    --write-models writes. Cases for what it lacks, or does not announce, are skipped. Fails if a
    case failed, or none passed.
    """
    over_grpc = [False] * (url is not None) + [True] * (grpc_address is not None)
    if (upload and url is None) or not (over_grpc or write_models):
        raise click.UsageError("give a URL, --grpc HOST:PORT, or --write-models FOLDER")
    chosen = {way: _chosen(protocols, only, must_alone, way) for way in over_grpc}
    if over_grpc and not any(chosen.values()):
        raise click.ClickException(f"no case is like {only!r}")
    if write_models is not None:
        _write(write_models)
    if upload and url is not None:
        _upload(client_at(context, url))
    show = _shown(as_json, verbose)
    outcomes: list[CaseOutcome] = []
    if url is not None:
        subject = subject_at(context, url, headers, timeout_s)
        outcomes += map(show, map(subject.outcome, chosen[False]))
    if grpc_address is not None:
        with grpc_subject_at(context, grpc_address, headers, timeout_s) as called:
            outcomes += map(show, map(called.outcome, chosen[True]))
    return _reported(outcomes, verbose, as_json) if over_grpc else 0


def _chosen(protocols: Sequence[str], only: str, must_alone: bool, over_grpc: bool) -> list[Case]:
    from tfaas_core.testing.conformance import cases

    chosen = protocols or _PROTOCOLS
    return [case for name in chosen for case in cases(name, only, must_alone, over_grpc)]


def _shown(as_json: bool, verbose: bool) -> Callable[[CaseOutcome], CaseOutcome]:
    """Prints an outcome, if it is to be printed now."""

    def show(outcome: CaseOutcome) -> CaseOutcome:
        if not as_json and (verbose or outcome.fault is not None):
            say(str(outcome))
        return outcome

    return show


def _reported(outcomes: Sequence[CaseOutcome], verbose: bool, as_json: bool) -> int:
    from tfaas_core.testing.conformance.report import ConformanceReport

    report = ConformanceReport(outcomes)
    if as_json:
        print_json(report.document())
    else:
        _print_reasons([] if verbose else report.outcomes)
        print_table(("GROUP", "PASSED", "FAILED", "SKIPPED"), report.rows())
    return 0 if report.conforms else 1


def _print_reasons(outcomes: Sequence[CaseOutcome]) -> None:
    """Each reason once, with how many cases were not tried for it."""
    reasons = Counter((outcome.result, outcome.reason) for outcome in outcomes if outcome.reason)
    for (result, reason), number in reasons.items():
        say(f"{result} {number}: {reason}")


def _write(folder: Path) -> None:
    from tfaas_core.testing.conformance.models import CannotWrite, write_models

    try:
        write_models(folder)
    except CannotWrite as error:
        raise click.ClickException(f"the models cannot be written: {error}") from None


def _upload(client: Client) -> None:
    from tfaas_core.cli.conformance.models import give_labels, missing_versions, upload_versions

    if missing := missing_versions(client):
        with TemporaryDirectory(prefix="tfaas-conformance-", dir=temporary_folder()) as scratch:
            _write(Path(scratch))
            upload_versions(client, Path(scratch), missing)
    give_labels(client)
