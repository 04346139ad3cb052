"""The models of the conformance kit, and which of them a TFaaS server lacks."""

from __future__ import annotations

import json
from pathlib import Path

from tfaas_core.cli.client import Body, Client, path_of
from tfaas_core.cli.models.form import form, text_part
from tfaas_core.cli.models.model_part import folder_part
from tfaas_core.testing.conformance.models import MODELS, KitModel


def missing_versions(client: Client) -> dict[str, list[int]]:
    """Those that the server has not yet, by model."""
    names = {record["name"] for record in client.records("/models")}
    missing = {model.name: _missing(client, model, model.name in names) for model in MODELS}
    return {name: versions for name, versions in missing.items() if versions}


def _missing(client: Client, model: KitModel, is_there: bool) -> list[int]:
    path = path_of("models", model.name, "versions")
    there = {record.get("version") for record in client.records(path)} if is_there else set()
    return [version for version in model.versions if version not in there]


def upload_versions(client: Client, folder: Path, missing: dict[str, list[int]]) -> None:
    """Uploads these, as they were written to ``folder``."""
    for name, versions in missing.items():
        for version in versions:
            _upload(client, name, version, folder / "tensorflow_serving" / name / str(version))


def give_labels(client: Client) -> None:
    """Has each label name its version."""
    for model in MODELS:
        for label, version in model.labels.items():
            body = Body("application/json", json.dumps({"version": version}).encode())
            client.ask("PUT", path_of("models", model.name, "labels", label), body)


def _upload(client: Client, name: str, version: int, source: Path) -> None:
    from tfaas_core.uploads.folder import regular_files

    with folder_part(source, regular_files(source), name) as part:
        body = form([text_part("name", name), part])
        client.record("POST", f"/upload?version={version}", body)
