"""What a hostile model's code tries with other processes, machines, and its lifeline."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess

from tests.core.sandbox.attack import Targets, stopped_by
from tests.core.sandbox.libc import libc_call
from tfaas_core.sandbox.confine import LIFELINE


@stopped_by("files", "calls")
def connect_by_tcp(targets: Targets) -> None:
    socket.create_connection(("127.0.0.1", targets.port), timeout=5).close()


@stopped_by("calls")
def send_by_udp(targets: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"1", ("127.0.0.1", targets.port))


@stopped_by("files", "calls")
def listen_for_tcp(_targets: Targets) -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@stopped_by("files", "calls")
def reach_an_abstract_socket(targets: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(targets.abstract)


@stopped_by("calls")
def reach_a_named_socket_through_a_pair(targets: Targets) -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        one.sendto(b"1", os.path.join(targets.everybody, "named"))


@stopped_by("calls")
def pass_a_descriptor_on(_targets: Targets) -> None:
    one, other = socket.socketpair()
    with one, other:
        socket.send_fds(one, [b"1"], [0])


@stopped_by("files", "calls")
def signal_the_server(targets: Targets) -> None:
    os.kill(targets.victim, 0)


@stopped_by("user")
def slow_the_server_down(targets: Targets) -> None:
    os.setpriority(os.PRIO_PROCESS, targets.victim, targets.niceness)


@stopped_by("files", "calls", "user")
def trace_the_server(targets: Targets) -> None:
    libc_call("ptrace", 16, targets.victim, 0, 0)


@stopped_by("files", "calls")
def run_a_program(_targets: Targets) -> None:
    subprocess.run(["/bin/true"], check=True)


@stopped_by("calls")
def fork(_targets: Targets) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


# The lifeline, which ends it with the server.


@stopped_by("calls")
def close_the_lifeline(_targets: Targets) -> None:
    os.close(LIFELINE)


@stopped_by("calls")
def put_something_in_place_of_the_lifeline(_targets: Targets) -> None:
    os.dup2(0, LIFELINE)


@stopped_by("calls")
def loosen_the_lifeline(_targets: Targets) -> None:
    fcntl.fcntl(LIFELINE, fcntl.F_SETFL, 0)


@stopped_by("calls")
def loosen_a_copy_of_the_lifeline(_targets: Targets) -> None:
    fcntl.fcntl(os.dup(LIFELINE), fcntl.F_SETFL, 0)


@stopped_by("calls")
def have_somebody_else_signalled(targets: Targets) -> None:
    fcntl.fcntl(0, fcntl.F_SETOWN, targets.victim)
