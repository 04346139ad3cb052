"""HandleReloadConfigRequest: which models are served, and which versions their labels name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tfaas_core.errors import BadBody, UnknownModel, UnknownVersion
from tfaas_core.host import Host
from tfaas_core.models.model import check_name
from tfaas_core.route import admit
from tfaas_core.service import Call
from tfaas_plugins.protocols.oip.models.control import RepositoryApi
from tfaas_plugins.protocols.oip.models.models import OipModels
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.example_messages import Unimplemented
from tfaas_plugins.protocols.tfserving.model_calls import read_message
from tfaas_plugins.protocols.unloaded import UnloadedModels

_MOST_BYTES = 1 << 18
"""It is read at once, in the event loop."""

_POLICIES = (
    "versions are served whatever model_version_policy says: all that are stored, and without a "
    "version the live one"
)


class _Wanted(msgspec.Struct):
    """The labels of each model that is to be served; whether policies say which versions are."""

    labels: dict[str, Mapping[str, int]] = {}
    has_policies: bool = False


class ReloadCall:
    """That of one Host. ``unloaded``: what it changes; None: an operator has not allowed that."""

    def __init__(self, host: Host, unloaded: UnloadedModels | None) -> None:
        self._host = host
        self._repository = None if unloaded is None else RepositoryApi(OipModels(host), unloaded)

    async def reload(self, call: Call) -> bytes:
        """Serves the models of the list, and no others; answered when they are loaded.

        The answer's status says so if something of the list is not heeded. All is checked before
        anything is changed. Raises BadBody, and what loading and labelling raise.
        """
        if self._repository is None:
            raise Unimplemented(
                "HandleReloadConfigRequest is not allowed; reload_config = true of "
                "[plugins.tfserving] in tfaas.toml allows it"
            )
        wanted = self._wanted(call.body)
        models = wanted.labels
        others = [model.name for model in self._host.catalog.list() if model.name not in models]
        for name in (*models, *others):
            await admit(call, name)
        for name, labels in models.items():
            await self._repository.load_model(name)
            for label, version in labels.items():
                await self._label(name, label, version)
        for name in others:
            await self._repository.unload_model(name)
        answer = message_class("tensorflow.serving.ReloadConfigResponse")()
        answer.status.SetInParent()
        if wanted.has_policies:
            answer.status.error_message = _POLICIES
        return bytes(answer.SerializeToString())

    async def _label(self, name: str, label: str, version: int) -> None:
        if self._host.catalog.model(name).pointers.labels.get(label) != version:
            await self._host.publisher.label(name, label, version)

    def _wanted(self, body: bytes) -> _Wanted:
        config = read_message("ReloadConfigRequest", body, _MOST_BYTES).config
        if config.WhichOneof("config") != "model_config_list":
            raise BadBody(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported"
            )
        wanted = _Wanted()
        for model in config.model_config_list.config:
            if model.name in wanted.labels:
                raise BadBody(f"model {model.name[:140]!r} is in the list twice")
            wanted.labels[model.name] = labels = dict(model.version_labels)
            policy = model.model_version_policy
            wanted.has_policies |= policy.WhichOneof("policy_choice") not in (None, "all")
            self._check(model.name, labels, policy.specific.versions)
        return wanted

    def _check(self, name: str, labels: Mapping[str, int], versions: Iterable[int]) -> None:
        try:
            model = self._host.catalog.model(name)
            for label in labels:
                check_name(label, "label")
            for version in (*labels.values(), *versions):
                model.version(version)
        except UnknownVersion as error:
            raise BadBody(error.message) from None
        except UnknownModel:
            raise BadBody(
                f"model {name[:140]!r} is not stored here; upload it, a base_path is not read"
            ) from None
