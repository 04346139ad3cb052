"""What a hostile model's code tries with files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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


@stopped_by("files")
def read_what_the_kernel_tells_of_the_server(targets: Targets) -> None:
    names = ("cmdline", "comm", "stat", "statm", "status", "limits", "cgroup", "schedstat")
    told = [f"{above}/{name}" for name in names for above in ("", f"/task/{targets.victim}")]
    _read_any(f"/proc/{targets.victim}{name}" for name in told)


@stopped_by("files")
def list_all_processes(_targets: Targets) -> None:
    os.listdir("/proc")


@stopped_by("files")
def list_the_threads_of_the_server(targets: Targets) -> None:
    os.listdir(f"/proc/{targets.victim}/task")


@stopped_by("files")
def read_who_is_connected(targets: Targets) -> None:
    whose = ("", "/self", "/thread-self", f"/{targets.victim}", f"/self/task/{os.getpid()}")
    kinds = ("tcp", "udp", "unix", "dev", "route", "sockstat")
    _read_any(f"/proc{who}/net/{kind}" for who in whose for kind in kinds)


@stopped_by("files")
def list_the_networks(_targets: Targets) -> None:
    # From what it holds, too.
    held = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    above = ("/proc", "/proc/self", f"/proc/self/task/{os.getpid()}")
    through = [f"{path}/{os.getpid()}" for path in held]
    _list_any(f"{path}/net/dev_snmp6" for path in (*above, *held, *through))


@stopped_by("files")
def read_what_is_mounted(_targets: Targets) -> None:
    _read_any(f"/proc{name}" for name in ("/mounts", "/self/mountinfo", "/thread-self/mounts"))


@stopped_by("files")
def read_what_the_machine_is_and_does(_targets: Targets) -> None:
    of_kernel = ("version", "stat", "loadavg", "cmdline", "interrupts", "uptime", "filesystems")
    settings = ("hostname", "random/boot_id", "pid_max")
    paths = [*of_kernel, *(f"sys/kernel/{name}" for name in settings)]
    _read_any(f"/proc/{path}" for path in paths)


@stopped_by("files")
def list_its_devices(_targets: Targets) -> None:
    _list_any(("/sys", "/sys/class/net", "/sys/block", "/sys/class/dmi/id", "/proc/sys", "/dev"))


def _read_any(paths: Iterable[str]) -> None:
    _any(lambda path: Path(path).read_bytes(), paths)


def _list_any(paths: Iterable[str]) -> None:
    _any(os.listdir, paths)


def _any(attempt: Callable[[str], object], paths: Iterable[str]) -> None:
    """Succeeds if one attempt does."""
    errors = []
    for path in paths:
        try:
            attempt(path)
        except OSError as error:
            errors.append(error)
        else:
            return
    raise errors[0]


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
