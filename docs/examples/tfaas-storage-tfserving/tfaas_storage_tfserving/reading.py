"""Reads one version, in a process of its own: ``python -m tfaas_storage_tfserving.reading JOB``.

It is loaded and tried as an upload is, by what ``tfaas inspect`` does. So its record says just what
an upload's would, and a model that crashes TensorFlow takes nobody along.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.cli.options import read_config
from tfaas_core.errors import BadBody, CannotServe, TfaasError
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.models.model import ModelVersion
from tfaas_core.tools.inspection import inspect_model
from tfaas_core.uploads.companions import (
    LABELS,
    PARAMS,
    WARMUP_FILE,
    companion,
    read_labels,
    read_params,
    read_warmup,
)
from tfaas_storage_tfserving.files import GRAPH, artifact_in, state_of
from tfaas_storage_tfserving.records import Finding, Records

_NICE = 10
"""Models that serve go first."""


class Job(msgspec.Struct, frozen=True):
    """A version to read: of model ``name``, in the folder ``path``, with these ``params``.

    ``fingerprint`` is what the finding is to have; ``files`` that of the files alone. ``records``
    is the folder of the records, and ``scratch`` one to make, which its caller removes.
    """

    name: str
    path: str
    params: dict[str, Any]
    files: str
    fingerprint: str
    records: str
    scratch: str

    @property
    def number(self) -> int:
        return int(Path(self.path).name)


def read(job: Job) -> Finding:
    """What a server would say of this version. Blocks for seconds. Raises OSError."""
    try:
        return Finding(job.fingerprint, _record(job))
    except TfaasError as error:
        return Finding(job.fingerprint, reason=error.message)


def _record(job: Job) -> ModelVersion:
    version = Path(job.path)
    artifact = artifact_in(version)
    if artifact is None:
        raise BadBody("it holds no model any more")
    place = _as_uploaded(artifact, version, job)
    inspection = inspect_model(place, read_config(None, ()))
    beside = place if artifact.is_file() else artifact
    params, labels, warmup = (
        companion(beside, place, *names) for names in ((PARAMS,), LABELS, (WARMUP_FILE,))
    )
    if inspection.signature is None:
        raise CannotServe(inspection.refusal)
    return ModelVersion(
        name=job.name,
        version=job.number,
        runtime=inspection.runtime,
        model_file=artifact.name if artifact.is_file() else "saved_model.pb",
        labels_file=labels.name if labels else "",
        params=read_params(params).document if params else {},
        signature=inspection.signature,
        mergeable=bool(inspection.mergeable),
        merge_reason=inspection.merge_reason,
        labels=read_labels(labels, labels.name) if labels else (),
        created=state_of(version).written,
        size_bytes=inspection.size,
        checksum=artifact_checksum(artifact),
        warmup=read_warmup(warmup) if warmup else None,
        others=inspection.others,
        declared=inspection.declared,
    )


def _as_uploaded(artifact: Path, version: Path, job: Job) -> Path:
    """The folder of ``version``; of a graph a copy, called as graphs are, with the params."""
    if artifact.name != GRAPH:
        return version
    place, params = Path(job.scratch), job.params
    place.mkdir(mode=0o700)
    shutil.copyfile(artifact, place / "model.pb")
    for name in (PARAMS, *LABELS, WARMUP_FILE):
        if (version / name).is_file():
            shutil.copyfile(version / name, place / name)
    if (place / PARAMS).is_file():
        params = params | read_params(place / PARAMS).document
    (place / PARAMS).write_bytes(msgspec.json.encode(params))
    return place


def _end_with_stdin() -> None:
    """Once whoever started this process is gone, so is it, and what it has started."""
    os.read(0, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Stores what it finds, unless the files were changed meanwhile."""
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    job = msgspec.json.decode(sys.argv[1], type=Job)
    os.nice(_NICE)
    finding = read(job)
    if state_of(Path(job.path)).fingerprint == job.files:
        Records(Path(job.records)).put(job.name, Path(job.path), finding)


if __name__ == "__main__":
    main()
