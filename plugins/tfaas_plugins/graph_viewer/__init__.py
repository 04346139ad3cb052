"""The viewer of graphs at ``/netron/?model=NAME``, a plugin: Netron, if that is installed.

Netron is a page of static files in a package of its own. It is served as it comes, but for the head
of its page: there, a script of ours names the one file that it may ask for.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.route import Route
from tfaas_plugins.graph_viewer.graph_file import GraphFile
from tfaas_plugins.graph_viewer.viewer import Viewer


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """The page, what it loads, and the graphs that it shows."""
    viewer, graph = Viewer(), GraphFile(host)
    return [
        Route("/netron", ("GET",), viewer.page, public=True),
        Route("/netron/{file...}", ("GET",), viewer.file, public=True),
        Route("/models/{name}/graph.pb", ("GET",), graph.answer),
        Route("/models/{name}/versions/{version}/graph.pb", ("GET",), graph.answer),
    ]
