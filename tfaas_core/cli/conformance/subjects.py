"""The servers that ``tfaas conformance`` tries, over HTTP and over gRPC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfaas_core.cli.client import pem_files, tls_of, token_of_environment

if TYPE_CHECKING:
    from tfaas_core.testing.conformance import Subject
    from tfaas_core.testing.conformance.calls.subject import GrpcSubject

_HTTPS = "https://"


def with_token(headers: dict[str, str]) -> dict[str, str]:
    """These headers, and the token of the environment unless they have a credential."""
    token = token_of_environment()
    if token and "authorization" not in {name.lower() for name in headers}:
        return {**headers, "Authorization": f"Bearer {token}"}
    return headers


def subject_at(
    context: click.Context, url: str, headers: dict[str, str], timeout_s: float
) -> Subject:
    """What is at a URL; raises BadParameter."""
    from tfaas_core.testing.conformance import Subject

    try:
        return Subject(url, with_token(headers), timeout_s, tls_of(context))
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None


def grpc_subject_at(
    context: click.Context, address: str, headers: dict[str, str], timeout_s: float
) -> GrpcSubject:
    """What is at an address, to be used in a ``with``; raises BadParameter, or ClickException."""
    place = address.removeprefix(_HTTPS)
    host, _, port = place.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter(f"{address!r} is not like localhost:8001", param_hint="--grpc")
    try:
        from tfaas_core.testing.conformance.calls.subject import GrpcSubject
    except ImportError as error:
        raise click.ClickException(
            f"--grpc needs a library that is not installed ({error.name}); install tfaas[grpc]"
        ) from None
    secure = _credentials(context) if address.startswith(_HTTPS) else None
    return GrpcSubject(place, with_token(headers), timeout_s, secure)


def _credentials(context: click.Context) -> Any:
    import grpc

    tls_of(context)  # says what is wrong with the files
    ca, cert = (Path(file).read_bytes() if file else None for file in pem_files(context))
    return grpc.ssl_channel_credentials(ca, cert, cert)
