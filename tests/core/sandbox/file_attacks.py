"""What a hostile model's code tries with files."""

from __future__ import annotations

import os
from pathlib import Path

from tests.core.sandbox.attack import Targets, stopped_by


@stopped_by("files", "user")
def read_what_the_owner_alone_may_read(targets: Targets) -> None:
    Path(targets.folder, "canary").read_bytes()


@stopped_by("files")
def read_the_artifact_of_another_model(targets: Targets) -> None:
    Path(targets.folder, "other").read_bytes()


@stopped_by("files")
def read_through_a_link_in_its_own_artifact(targets: Targets) -> None:
    Path(targets.own, "link").read_bytes()


@stopped_by("files")
def list_the_folder_of_all_models(targets: Targets) -> None:
    os.listdir(targets.folder)


@stopped_by("files", "user")
def read_the_environment_of_the_server(targets: Targets) -> None:
    Path(f"/proc/{targets.victim}/environ").read_bytes()


@stopped_by("files", "calls", "limits")
def write_a_file(targets: Targets) -> None:
    Path(targets.everybody, "written").write_bytes(b"1")


@stopped_by("files", "calls")
def make_a_folder(targets: Targets) -> None:
    os.mkdir(os.path.join(targets.everybody, "made"))


@stopped_by("files", "calls")
def overwrite_what_everybody_may_write(targets: Targets) -> None:
    os.close(os.open(os.path.join(targets.everybody, "open"), os.O_WRONLY | os.O_TRUNC))


@stopped_by("files", "calls")
def remove_what_everybody_may_remove(targets: Targets) -> None:
    os.unlink(os.path.join(targets.everybody, "open"))


@stopped_by("calls", "user")
def change_the_mode_of_its_own_artifact(targets: Targets) -> None:
    os.chmod(os.path.join(targets.own, "model"), 0o666)


@stopped_by("files", "calls")
def be_ended_after_the_server_if_memory_runs_out(_targets: Targets) -> None:
    Path("/proc/self/oom_score_adj").write_text("0")
