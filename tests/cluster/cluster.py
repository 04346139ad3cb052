"""Clusters: hosts and servers on machines of their own, one database, and HAProxy in front."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster.clients import Clients
from tests.cluster.machines import HUB, NETWORK, Machine
from tests.cluster.processes import (
    PORT,
    WITHIN_S,
    Fleet,
    Program,
    models_by_host,
    until_ready,
    upload,
)
from tests.cluster.ray_fleet import RayFleet
from tfaas_core.testing.postgresql import PostgresqlServer, database_for, running_postgresql
from tfaas_core.testing.waiting import until

DEAD_AFTER_S = 3.0
NAMES = tuple(f"m{number}" for number in range(12))
CLIENTS = 32

_FRONTS = ("10.0.0.7", "10.0.0.8", "10.0.0.9")
_HOSTS = ("10.0.0.21", "10.0.0.22", "10.0.0.23")
_HEADS = ("10.0.0.30",)
_GATE = f"{HUB}:{PORT}"


class Cluster:
    """``hosts`` run models, ``fronts`` answer requests; both by the names of their machines.

    On Ray, hosts are its nodes, and there is a ``head``.
    """

    def __init__(self, folder: Path, database: PostgresqlServer, on_ray: bool) -> None:
        self.folder, self.database = folder, database
        port = database.address.rpartition(":")[2]
        url = database_for(folder, database.address).replace(database.address, f"{HUB}:{port}")
        self.ray = RayFleet(folder, url, DEAD_AFTER_S) if on_ray else None
        self.fleet: Fleet = self.ray or Fleet(folder, url, DEAD_AFTER_S)
        self.machines: dict[str, Machine] = {}
        self.heads: dict[str, Program] = {}
        self.hosts: dict[str, Program] = {}
        self.fronts: dict[str, Program] = {}
        self.homes: dict[str, set[str]] = {}
        """Which models each host has, by its address, while all are there."""
        self.clients = Clients(_GATE, NAMES, CLIENTS)

    @contextmanager
    def running(self, hosts: int, fronts: int) -> Iterator[None]:
        """Without hosts, servers run models themselves. Clients ask as long as the block runs."""
        with ExitStack() as stack:
            stack.callback(self._close_all)
            if self.ray is not None:
                stack.enter_context(self.ray.redis())
            for name, address in self._places(hosts, fronts).items():
                self.machines[name] = Machine(name, address)
                stack.callback(self.machines[name].close)
            # The first one that opens the database makes its tables.
            first, *others = self.machines
            self.begin(first).ready()
            for name in others:
                program = self.begin(name)
                if self.ray is not None:
                    program.ready()  # nodes would give up if several start at once on few cores
            if self.ray is None:
                self._each_ready(others)
            haproxy = self.fleet.haproxy([each.machine for each in self.fronts.values()])
            stack.callback(haproxy.wait)
            stack.callback(haproxy.kill)
            until_ready(_GATE)
            for name in NAMES:
                upload(self.gates()[0], name)
            with self.clients:
                self.asked(10 * CLIENTS)
                if hosts:
                    until(lambda: len(self._homes()) == hosts, WITHIN_S, "each host has models")
                    self.homes = self._homes()
                self.clients.taken()
                yield

    def _places(self, hosts: int, fronts: int) -> dict[str, str]:
        """The addresses of all machines, in the order of their starts."""
        heads = _HEADS if self.ray else ()
        kinds = {"head": heads, "host": _HOSTS[:hosts], "front": _FRONTS[:fronts]}
        return {
            f"{kind}{number}": address
            for kind, addresses in kinds.items()
            for number, address in enumerate(addresses)
        }

    def begin(
        self,
        name: str,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Program:
        """Starts what runs on a machine, or starts it again; it need not be ready yet.

        All but ``name`` is for hosts, as ``Fleet.host`` takes it.
        """
        machine = self.machines[name]
        if name.startswith("head"):
            assert self.ray is not None
            program = self.heads[name] = self.ray.head(machine)
        elif name.startswith("host"):
            program = self.hosts[name] = self.fleet.host(machine, environment or {}, before)
        elif hosts := [each for key, each in self.machines.items() if key.startswith("host")]:
            program = self.fronts[name] = self.fleet.front(machine, hosts)
        else:
            program = self.fronts[name] = self.fleet.server(machine)
        return program

    def asked(self, answers: int = 20 * CLIENTS) -> None:
        """Returns once clients got so many more answers."""
        goal = self.clients.answered + answers
        until(lambda: self.clients.answered >= goal, WITHIN_S, "clients get answers")

    def until_back(self, name: str) -> None:
        """Returns once a host has all of its models, and is used by all servers."""
        home = self.machines[name].address
        until(lambda: self._homes().get(home) == self.homes[home], WITHIN_S, f"{name} is back")
        self.asked()

    def gates(self) -> list[str]:
        """The addresses of all servers."""
        return [f"{each.machine.address}:{PORT}" for each in self.fronts.values()]

    def _homes(self) -> dict[str, set[str]]:
        first, *others = (models_by_host(gate) for gate in self.gates())
        return first if all(each == first for each in others) else {}

    def _each_ready(self, names: Sequence[str]) -> None:
        programs = [(self.hosts | self.fronts)[name] for name in names]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Program.ready, programs))

    def _close_all(self) -> None:
        for program in (*self.fronts.values(), *self.hosts.values(), *self.heads.values()):
            program.close()


@contextmanager
def cluster(folder: Path, hosts: int, fronts: int, on_ray: bool = False) -> Iterator[Cluster]:
    """A new one, with a database of its own."""
    folder.mkdir()
    with running_postgresql(network=NETWORK) as database:
        found = Cluster(folder, database, on_ray)
        with found.running(hosts, fronts):
            yield found
