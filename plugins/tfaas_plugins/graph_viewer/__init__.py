"""The viewer of graphs at ``/netron/?model=NAME``, a plugin: Netron, if that is installed.

Netron is a page of static files in a package of its own. It is served as it comes, but for the head
of its page: there, a script of ours names the one file that it may ask for.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.operation import Operation
from tfaas_core.route import Route
from tfaas_plugins.graph_viewer.graph_file import GraphFile
from tfaas_plugins.graph_viewer.viewer import Viewer

_PAGE = Operation("the viewer of graphs", gives=("text/html",), statuses=(308, 404))
_FILE = Operation("its scripts and styles", gives=("*/*",))
_GRAPH = Operation("the graph of a model", gives=("application/octet-stream",), statuses=(422,))


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """The page, what it loads, and the graphs that it shows."""
    viewer, graph = Viewer(), GraphFile(host)
    return [
        Route("/netron", ("GET",), viewer.page, public=True, operation=_PAGE),
        Route("/netron/{file...}", ("GET",), viewer.file, public=True, operation=_FILE),
        Route("/models/{name}/graph.pb", ("GET",), graph.answer, operation=_GRAPH),
        Route(
            "/models/{name}/versions/{version}/graph.pb", ("GET",), graph.answer, operation=_GRAPH
        ),
    ]
