"""The ``[storage]`` table of kind ``tfserving``. Its keys are called as the others' flags are."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tfaas_core.models.model import NAME_RULE, is_name

SOURCES = ("model_base_path", "model_config_file", "model_repository")


class TfServingTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the models are: one of the first three keys."""

    model_base_path: str = ""
    """A folder with a folder for each model; or, with ``model_name``, the folder of one model."""
    model_config_file: str = ""
    """A ``models.config`` of TensorFlow Serving."""
    model_repository: str = ""
    """A model repository of Triton."""
    model_name: str = ""
    """The name of the model whose versions are right in ``model_base_path``."""
    records: Annotated[str, msgspec.Meta(min_length=1)] = "records"
    """A folder for what was found out about the models; it is made if it is missing."""
    poll_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    """How often the folders are looked at."""

    def __post_init__(self) -> None:
        given = [key for key in SOURCES if getattr(self, key)]
        if len(given) != 1:
            have = " and ".join(given) or "none"
            raise ValueError(f"say one of {', '.join(SOURCES)}, here is {have}")
        if self.model_name and not self.model_base_path:
            raise ValueError("model_name belongs to model_base_path; leave it out")
        if self.model_name and not is_name(self.model_name):
            raise ValueError(f"model_name is {self.model_name!r}; a name is {NAME_RULE}")
