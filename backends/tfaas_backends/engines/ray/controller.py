"""Controller: the actor that knows the nodes, and has a host on each that is to have one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import ActorUnavailableError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tfaas_backends.engines.ray import host_config
from tfaas_backends.engines.ray.host import FOLLOW_S, Host, stop_limit_s
from tfaas_backends.engines.ray.messages import Hosts, HostState
from tfaas_backends.engines.ray.needs import Needs
from tfaas_backends.engines.ray.served import Served, served_by
from tfaas_backends.engines.ray.table import NAMESPACE, RAY, RayTable
from tfaas_backends.engines.ray.wants import Wants
from tfaas_core.errors import ConfigError
from tfaas_core.plugins import plugins_of
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.output.one_line import described

_LOOK_S = 1.0
_UP_LIMIT_S = 120.0
"""How long a host may take to start."""
_ANSWER_S = 10.0
"""How much longer than a host its actor may take to answer."""
_SETTLE_S = 15.0
"""How long hosts may take, of a controller that has just begun, before others are told of."""

_log = logging.getLogger("tfaas.engine")


class _Node:
    """A node with its host: its actor, and what that said last.

    ``stop_limit_s``: how long the host may take to end, by the configuration that it runs by.
    """

    def __init__(self, actor: Any, address: str, stop_limit_s: float) -> None:
        self.actor, self.ip, self.stop_limit_s = actor, address, stop_limit_s
        self.state = HostState()
        self.has_told, self.is_up = asyncio.Event(), asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def said(self, state: HostState) -> None:
        """Its host has said how it is."""
        self.state = state
        self.has_told.set()
        if state.address:
            self.is_up.set()


class Controller:
    """Knows nothing that it could not find out again: if it is lost, another one goes on."""

    def __init__(self, config: bytes) -> None:
        self._take(config)
        self._nodes: dict[str, _Node] = {}
        self._begun_s, self._is_settled = time.monotonic(), False
        self._told: Hosts | None = None
        self._changed = asyncio.Condition()
        self._keeping: asyncio.Task[None] | None = None
        self._tasks = Tasks(_log)

    def _take(self, config: bytes) -> None:
        raw = host_config.unpacked(config)
        self._config = plugins_of(raw).configured(raw)  # first, as it may be refused
        self._packed, self._digest = config, host_config.digest(raw)
        self._table: RayTable = self._config.engine_settings(RAY)
        self._needs = Needs.of(self._table)
        self._wants = Wants(self._config)

    async def digest(self) -> str:
        """Of the configuration that hosts run by."""
        return self._digest

    async def follow(self, known: Hosts | None) -> Hosts | None:
        """Which hosts there are, as soon as these are others than ``known``.

        It may be the same after a while; None: that is not known yet.
        """
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())
        with suppress(TimeoutError):
            async with asyncio.timeout(FOLLOW_S), self._changed:
                await self._changed.wait_for(lambda: self._told not in (None, known))
        return self._told

    async def nodes(self) -> list[dict[str, Any]]:
        """All nodes of the cluster, as ``tfaas cluster status`` shows them."""
        hosts = await self.follow(None)
        found = await asyncio.to_thread(ray.nodes)
        served = await served_by(self._config, hosts.addresses if hosts else ())
        return [self._shown(node, served) for node in found]

    async def renew(self, config: bytes) -> tuple[list[str], str]:
        """Starts one host after the other anew, by this configuration, and fails no request.

        Returns which hosts had to be killed, and why one does not start, as a clause, and then
        leaves the others; else nothing.
        """
        await self._stop_looking()
        killed: list[str] = []
        try:
            self._take(config)
            for name in list(self._nodes):
                if (node := self._nodes.pop(name, None)) is None:
                    continue  # it went meanwhile
                if why := await self._end(node):
                    killed.append(why)
                others = set(self._nodes)
                await self._look()
                await self._tell()
                for new in self._nodes.keys() - others:
                    if why := await self._why_not_up(new):
                        return killed, why
        except ConfigError as error:
            return killed, f"the controller cannot use this configuration: {error.message}"
        finally:
            self._keeping = asyncio.create_task(self._keep())
        return killed, ""

    async def _why_not_up(self, name: str) -> str:
        """Waits for the host of a node that has just got one."""
        node = self._nodes.get(name)
        if node is None:
            return ""
        try:
            async with asyncio.timeout(_UP_LIMIT_S):
                await node.is_up.wait()
        except TimeoutError:
            why = node.state.why or f"it has not come up within {_UP_LIMIT_S:g} s"
            return f"the host of node {node.ip} does not start: {why}"
        # Servers reach it meanwhile. For one that takes longer, the next host waits.
        await asyncio.sleep(_LOOK_S)
        return ""

    async def stop(self) -> list[str]:
        """Ends all hosts, once their requests are answered; returns which had to be killed."""
        await self._stop_looking()
        whys = await asyncio.gather(*[self._end(each) for each in self._nodes.values()])
        return [why for why in whys if why]

    async def _stop_looking(self) -> None:
        await self.follow(None)  # those of a controller before this one are known by then
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(_again_and_again(self._look_and_tell))
            # It waits for hosts, of which one may hang.
            both.create_task(_again_and_again(self._want))

    async def _look_and_tell(self) -> None:
        await self._look()
        await self._tell()

    async def _want(self) -> None:
        hosts = self._told.addresses if self._told else ()
        if await self._wants.look(hosts, time.monotonic()) and self._wants.hosts:
            await self._ask_for_nodes(self._wants.hosts)

    async def _look(self) -> None:
        found = {node["NodeID"]: node for node in await asyncio.to_thread(ray.nodes)}
        # One that was told to end waits until nothing runs there any more.
        leaving = await asyncio.to_thread(ray._private.state.state.get_draining_nodes)
        fit = {
            name: node
            for name, node in found.items()
            if name not in leaving and self._needs.are_met_by(node)
        }
        for name in self._nodes.keys() - fit.keys():
            node = self._nodes.pop(name)
            if name in found and found[name]["Alive"]:  # it is to have no host any more
                self._tasks.spawn(self._end(node))
            else:
                self._forget(node)
        # Those that have a host come first.
        chosen = sorted(fit, key=lambda name: (name not in self._nodes, name))
        chosen = chosen[: self._wants.hosts or None]
        for name in self._nodes.keys() - set(chosen):
            self._tasks.spawn(self._end(self._nodes.pop(name)))
        for name in set(chosen) - self._nodes.keys():
            actor = await asyncio.to_thread(self._host_at, name)
            address, limit_s = fit[name]["NodeManagerAddress"], stop_limit_s(self._config)
            node = self._nodes[name] = _Node(actor, address, limit_s)
            node.task = asyncio.create_task(self._follow(name, node))
        if not self._is_settled:
            await self._settle()

    async def _ask_for_nodes(self, wanted: int) -> None:
        labels = [self._needs.labels] * wanted if self._needs.labels else None
        bundles = [self._needs.resources] * wanted
        # Of a GCS that began anew, too.
        await asyncio.to_thread(request_resources, bundles=bundles, bundle_label_selectors=labels)

    async def _settle(self) -> None:
        """Those of a controller before this one are all to be known before any is told of."""
        waits = [asyncio.create_task(node.has_told.wait()) for node in self._nodes.values()]
        if waits:
            await asyncio.wait(waits, timeout=_SETTLE_S)
        self._is_settled = bool(waits) or time.monotonic() - self._begun_s >= _SETTLE_S

    def _host_at(self, node: str) -> Any:
        options = {
            "name": f"{self._table.name}-host-{node}",
            "namespace": NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
            **self._needs.options,
        }
        port = self._table.port if self._table.address else 0
        return ray.remote(Host).options(**options).remote(self._packed, port)

    async def _follow(self, name: str, node: _Node) -> None:
        known: HostState | None = None
        while self._nodes.get(name) is node:
            try:
                known = await node.actor.follow.remote(known)
            except ActorUnavailableError:
                await asyncio.sleep(_LOOK_S)  # it is started anew, and listens there again
                continue
            except RayError as error:
                _log.warning("the host of node %s is lost: %s", node.ip, described(error))
                self._nodes.pop(name, None)
                return
            node.said(known or HostState())
            await self._tell()

    def _forget(self, node: _Node) -> None:
        if node.task is not None:
            node.task.cancel()
        ray.kill(node.actor)

    async def _end(self, node: _Node) -> str:
        """Ends its host for good; returns why that was killed, as a clause, if it was."""
        why = ""
        try:
            async with asyncio.timeout(node.stop_limit_s + _ANSWER_S):
                why = await node.actor.stop.remote()
        except TimeoutError:
            why = "does not answer, and was killed"
        except RayError:
            pass  # it has ended already
        self._forget(node)
        return f"the host of node {node.ip} {why}" if why else ""

    async def _tell(self) -> None:
        if not self._is_settled:
            return
        nodes = self._nodes.values()
        addresses = sorted(node.state.address for node in nodes if node.state.address)
        whys = sorted(f"node {n.ip} has no host: {n.state.why}" for n in nodes if n.state.why)
        replicas = self._wants.replicas
        if replicas is None and self._told is not None:  # servers that start meanwhile need it
            replicas = self._told.replicas
        hosts = Hosts(tuple(addresses), tuple(whys), replicas=replicas)
        async with self._changed:
            if hosts != self._told:
                self._told = hosts
                self._changed.notify_all()

    def _shown(self, node: Mapping[str, Any], served: Served) -> dict[str, Any]:
        own = self._nodes.get(node["NodeID"])
        host = own.state.address if own else ""
        why = own.state.why if own else ""
        return {
            "node": node["NodeID"],
            "address": node["NodeManagerAddress"],
            "alive": bool(node["Alive"]),
            "host": host,
            "why": why or served.whys.get(host, ""),
            "models": sorted({each.model for each in served.models if each.host == host and host}),
        }


async def _again_and_again(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:  # to end would mean to start no host ever again
            _log.exception("the nodes of Ray cannot be looked at at the moment")
        await asyncio.sleep(_LOOK_S)
