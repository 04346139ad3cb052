"""TLS for gRPC: of the same files as HTTP's, and of those of now for each new connection."""

from __future__ import annotations

from typing import Any

import grpc

from tfaas_core.system.tls import LiveTls, TlsFiles


def credentials_of(tls: LiveTls) -> Any:
    """What a port of gRPC speaks TLS with.

    Whether clients need certificates stays as it is at the start. Raises OSError.
    """
    told = tls.files

    def changed() -> Any:
        """Called by gRPC for each connection, in a thread of its own; None: nothing has."""
        nonlocal told
        if tls.files is told:
            return None
        try:
            certificates = _certificates(tls.files)
        except OSError:  # HTTP has them, and goes on with them
            return None
        told = tls.files
        return certificates

    asks = told.client_ca is not None
    return grpc.dynamic_ssl_server_credentials(_certificates(told), changed, asks)


def _certificates(files: TlsFiles) -> Any:
    roots = None if files.client_ca is None else files.client_ca.read_bytes()
    pair = files.key.read_bytes(), files.cert.read_bytes()
    return grpc.ssl_server_certificate_configuration([pair], roots)
