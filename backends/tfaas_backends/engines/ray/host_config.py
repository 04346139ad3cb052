"""The configuration that hosts run by: the server's, on its way to other machines."""

from __future__ import annotations

import hashlib
import pickle

import msgspec

from tfaas_backends.engines.ray.table import RAY
from tfaas_core.config import Config
from tfaas_core.engine.remote import REMOTE

_OF_HOSTS = ("storage", "engine", "models", "limits")
_OF_SERVERS = ("address", "name", "start_limit_s")
"""Of ``[engine.ray]``: how a server finds the cluster, and the controller there."""


def with_token(config: Config, token: str) -> Config:
    """``config``, with this token for doors."""
    rest = config.engine.rest
    remote = {**rest.get(REMOTE, {}), "token": token}
    engine = msgspec.structs.replace(config.engine, rest={**rest, REMOTE: remote})
    return msgspec.structs.replace(config, engine=engine)


def packed(config: Config) -> bytes:
    """As it goes through Ray: secrets that it only says where to find are found by each host."""
    # The checked tables of plugins are made again from the raw ones, where the plugins are known.
    return pickle.dumps(msgspec.structs.replace(config, sections={}, engine_tables={}))


def unpacked(data: bytes) -> Config:
    """What ``packed`` was given."""
    config: Config = pickle.loads(data)
    return config


def digest(config: Config) -> str:
    """Another one if hosts would run another way by it."""
    rest = config.engine.rest
    own = {key: value for key, value in rest.get(RAY, {}).items() if key not in _OF_SERVERS}
    engine = msgspec.structs.replace(config.engine, rest={**rest, RAY: own})
    told = {name: getattr(config, name) for name in _OF_HOSTS} | {"engine": engine}
    return hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()[:16]
