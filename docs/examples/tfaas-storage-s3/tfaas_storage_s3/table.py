"""The ``[storage]`` table of kind ``s3``."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from tfaas_core import Secret

_ENDPOINT = re.compile(r"https?://[^\s/?#@]+/?")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*")


class S3Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the models are, and how this server keeps to that."""

    bucket: Annotated[str, Meta(min_length=1)]
    """The bucket that the models are in."""
    prefix: str = "tfaas"
    """What the keys of all objects begin with, so that a bucket can have others beside them."""
    endpoint: str = ""
    """The URL of the store, like http://minio:9000; empty: Amazon's."""
    region: str = ""
    """The bucket's region; empty: AWS_REGION, or else us-east-1."""
    access_key: Secret | None = None
    """The access key; without one, those of the environment or of the machine's role are used."""
    secret_key: Secret | None = None
    """The secret key that belongs to it."""
    cache: Annotated[str, Meta(min_length=1)] = "cache"
    """The local folder that models are loaded from."""
    cache_max_bytes: Annotated[int, Meta(ge=1)] = 10_737_418_240
    """Beyond it, the least recently used models leave the cache."""
    poll_s: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0
    """How often the bucket is asked for changes that other servers made."""
    lease_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    """How long the name that a killed server was uploading stays busy."""
    timeout_s: Annotated[float, Meta(ge=0.1, le=600)] = 30.0
    """How long an answer of the store may take, for 4 MiB at most."""

    def __post_init__(self) -> None:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key belong together; say both, or none")
        if self.endpoint and _ENDPOINT.fullmatch(self.endpoint) is None:
            raise ValueError("endpoint is no URL of a store; write it like http://minio:9000")
        parts = self.prefix.split("/") if self.prefix else []
        if _PREFIX.fullmatch(self.prefix) is None or {"", ".", ".."} & {*parts}:
            raise ValueError(
                f"prefix is {self.prefix!r}; take letters, digits, '.', '_' and '-', and '/' "
                "between them"
            )
