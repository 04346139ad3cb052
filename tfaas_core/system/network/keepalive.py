"""Keepalive: a TCP connection whose other machine is gone ends soon."""

from __future__ import annotations

import socket


def keep_alive(sock: socket.socket, dead_after_s: float) -> None:
    """Has the kernel end ``sock`` if the other machine is silent for so long, in use or not.

    What is written goes at once. Sockets of other kinds than TCP are left as they are.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    probe_s = max(1, round(dead_after_s / 3))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, probe_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(dead_after_s * 1000))


def may_leave_unread(sock: socket.socket) -> None:
    """After ``keep_alive``: the other machine is silent, and not one that reads nothing for long.

    The kernel tells the two apart only while nothing is sent: what is on its way to a machine that
    is gone has to be given up by somebody who knows that from another connection.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
