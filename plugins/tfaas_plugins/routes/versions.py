"""The endpoints of a model's versions and labels: /models/NAME/versions, /rollback, /labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.models.examples import Example, examples_of
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, check_number, number_of
from tfaas_core.operation import LIST, OBJECT, Operation, object_of
from tfaas_core.route import Handler, Request, Response, Right, Route, json_response
from tfaas_core.texts.json_text import read_fields_of
from tfaas_plugins.routes.bundle_answer import bundle_of
from tfaas_plugins.routes.list_answer import list_of


class VersionsApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def list(self, request: Request) -> Response:
        """``GET /models/NAME/versions``: all that are stored, in ascending order."""
        model = self._model(request)
        return await list_of(_shown(model, version) for version in model.versions)

    async def show(self, request: Request) -> Response:
        """``GET /models/NAME/versions/3``: one of them."""
        number = _number(request)
        return self._answer(request, number)

    async def download(self, request: Request) -> Response:
        """``GET /models/NAME/versions/3/download``: its bundle."""
        version = self._version(request, _number(request))
        return await bundle_of(self._host, version, f"{version.name}-{version.version}.tar.gz")

    async def delete(self, request: Request) -> Response:
        """``DELETE /models/NAME/versions/3``, which is neither live nor labelled."""
        name, number = request.path_fields["name"], _number(request)
        await self._host.publisher.remove_version(name, number)
        return json_response({"deleted": f"{name}/{number}"})

    async def roll_back(self, request: Request) -> Response:
        """``POST /models/NAME/rollback`` of ``{"version": 2}``, or of nothing: to the one before.

        An empty body is told from a JSON one, so that no misspelt field rolls back to another
        version than the one that was meant.
        """
        number = _number_in(request.body) if request.body else None
        version = await self._host.publisher.roll_back(request.path_fields["name"], number)
        return self._answer(request, version.version)

    async def class_labels(self, request: Request) -> Response:
        """``GET /models/NAME/versions/3/class_labels``: the names of its outputs, in order."""
        return json_response(self._version(request, _number(request)).labels)

    async def examples(self, request: Request) -> Response:
        """``GET /models/NAME/versions/3/examples``: those that it carries."""
        examples = examples_of(self._version(request, _number(request)))
        return json_response([_shown_example(example) for example in examples])

    async def labels(self, request: Request) -> Response:
        """``GET /models/NAME/labels``: the numbers that they name, by label."""
        return json_response(dict(sorted(self._model(request).pointers.labels.items())))

    async def label(self, request: Request) -> Response:
        """``PUT /models/NAME/labels/LABEL`` of ``{"version": 3}``: makes the label name that."""
        fields = request.path_fields
        number = _number_in(request.body)
        await self._host.publisher.label(fields["name"], fields["label"], number)
        return self._answer(request, number)

    async def remove_label(self, request: Request) -> Response:
        """``DELETE /models/NAME/labels/LABEL``; the version stays."""
        fields = request.path_fields
        await self._host.publisher.remove_label(fields["name"], fields["label"])
        return json_response({"deleted": fields["label"]})

    def _model(self, request: Request) -> Model:
        return self._host.catalog.model(request.path_fields["name"])

    def _version(self, request: Request, number: int) -> ModelVersion:
        return self._host.catalog.get(request.path_fields["name"], number)

    def _answer(self, request: Request, number: int) -> Response:
        return json_response(_shown(self._model(request), self._version(request, number)))


def _shown(model: Model, version: ModelVersion) -> dict[str, Any]:
    labels = model.pointers.labels.items()
    # "labels" is the file of the class labels.
    return version.document() | {
        "live": version is model.live,
        "versionLabels": sorted(label for label, number in labels if number == version.version),
    }


def _shown_example(example: Example) -> dict[str, Any]:
    expected = {} if example.outputs is None else {"outputs": example.outputs}
    return example.document | expected | {"tolerance": example.tolerance}


def _number(request: Request) -> int:
    return number_of(request.path_fields["version"])


def _number_in(body: bytes) -> int:
    """``version`` of a JSON object; raises BadBody and DoesNotFit."""
    if not body:
        raise BadBody('the body is empty, name the version: {"version": 3}', field="version")
    document = read_fields_of(body, '{"version": 3}')
    if "version" not in document:
        raise DoesNotFit('name the version: {"version": 3}', field="version")
    return check_number(document["version"])


_SHOWS = Operation("shows one version", answer=OBJECT)
_DELETED = object_of(("deleted",), deleted="string")
_JSON = ("application/json",)
_VERSION = object_of(version="integer")
_ROLLS_BACK = Operation("makes another version live", _JSON, _VERSION, True, answer=OBJECT)
_LABELS = Operation("makes a label name a version", _JSON, _VERSION, answer=OBJECT)


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    api = VersionsApi(host)
    at = "/models/{name}/versions/{version}"
    label = "/models/{name}/labels/{label}"

    def look(path: str, handler: Handler, operation: Operation) -> Route:
        return Route(path, ("GET",), handler, operation=operation)

    def change(method: str, path: str, handler: Handler, operation: Operation) -> Route:
        right: Right = "delete" if path == at else "upload"
        return Route(path, (method,), handler, right=right, operation=operation)

    bundle = Operation("a bundle of a version", gives=("application/gzip",))
    lists = Operation("lists a model's versions", answer=LIST)
    names = Operation("lists its class labels", answer=LIST)
    examples = Operation("lists the examples that it carries", answer=LIST)
    deletes = Operation("deletes it, unless it is live or labelled", answer=_DELETED)
    return [
        look("/models/{name}/versions", api.list, lists),
        look(at, api.show, _SHOWS),
        change("DELETE", at, api.delete, deletes),
        look(f"{at}/download", api.download, bundle),
        look(f"{at}/class_labels", api.class_labels, names),
        look(f"{at}/examples", api.examples, examples),
        change("POST", "/models/{name}/rollback", api.roll_back, _ROLLS_BACK),
        look("/models/{name}/labels", api.labels, Operation("lists its labels", answer=OBJECT)),
        change("PUT", label, api.label, _LABELS),
        change("DELETE", label, api.remove_label, Operation("removes a label", answer=_DELETED)),
    ]
