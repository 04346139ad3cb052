"""What a storage does that is read alone: it refuses each change, with one sentence."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from tfaas_core.errors import StorageUnavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Pointers
from tfaas_core.storage import Claim, DefaultChoice, Storage


class ReadOnly(StorageUnavailable):
    """Models are changed where they are kept, and not by TFaaS; to ask again is of no use."""

    status = 403
    code: ClassVar[str] = "read_only"

    def headers(self) -> dict[str, str]:
        return {}


class ReadOnlyStorage(Storage):
    """Refuses what changes something. ``where`` is the place of the models."""

    where: Path

    def sweep(self) -> None:
        """Nothing is ever half-done."""

    def claim(self, name: str) -> AbstractContextManager[Claim]:
        raise self._refused()

    def stage(self) -> Path:
        raise self._refused()

    def discard(self, staging: Path) -> None:
        """There never is one."""

    def commit(
        self, claim: Claim, staging: Path, version: ModelVersion, live: bool = True
    ) -> ModelVersion:
        raise self._refused()

    def point(self, claim: Claim, pointers: Pointers) -> None:
        raise self._refused()

    def prune(self, claim: Claim, keep: int) -> bool:
        raise self._refused()

    def delete_version(self, claim: Claim, number: int) -> bool:
        raise self._refused()

    def delete(self, claim: Claim) -> bool:
        raise self._refused()

    def default(self) -> DefaultChoice | None:
        return None

    def choose_default(self, choice: DefaultChoice) -> None:
        raise self._refused()

    def _refused(self) -> ReadOnly:
        return ReadOnly(
            f"the models are read from {self.where}, and changed only there: put versions into its "
            "folders, or remove them"
        )
