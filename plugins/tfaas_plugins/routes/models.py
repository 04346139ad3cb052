"""The endpoints that show, store and delete models: /models, /upload and /delete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import msgspec

from tfaas_core.errors import BadBody, UnsupportedMediaType
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.models.params import Params
from tfaas_core.operation import LIST, OBJECT, Operation, object_of
from tfaas_core.route import (
    Head,
    Request,
    Response,
    Route,
    admit,
    json_response,
    request_id_of,
    visible_models,
)
from tfaas_core.steps import step
from tfaas_core.storage import MODEL
from tfaas_core.uploads.form import check_length, read_form, store_body
from tfaas_core.uploads.package import Received
from tfaas_core.uploads.upload import Sender, Upload
from tfaas_plugins.routes.bundle_answer import bundle_of
from tfaas_plugins.routes.list_answer import list_of

_BUNDLE_TYPES = (
    *("application/octet-stream", "application/gzip", "application/x-gzip", "application/x-tar"),
    *("application/x-gtar", "application/x-compressed-tar"),
    # What curl --data-binary sends unasked, and a client that says nothing.
    *("application/x-www-form-urlencoded", ""),
)

_FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
_LIST = Operation("lists the models", answer=LIST)
_SHOW = Operation("shows one model", answer=OBJECT)
_DOWNLOAD = Operation(
    "a bundle of a model, which can be uploaded again", gives=("application/gzip",)
)
_UPLOAD = Operation(
    "stores a model, or a new version of it, by a form or as a bundle",
    takes=("multipart/form-data", "application/octet-stream"),
    body={
        "type": "object",
        "required": ["model"],
        "properties": {"name": {"type": "string"}}
        | dict.fromkeys(("model", "params", "labels"), _FILE),
    },
    answer=OBJECT,
    query={"name": "the model's name, beside a bundle", "version": "the number of the version"},
)
_DELETE = Operation("deletes a model", answer=object_of(("deleted",), deleted="string"))
_DELETE_ANY = msgspec.structs.replace(_DELETE, query={"model": "which one"})


class ModelsApi:
    """Handlers over one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def list(self, request: Request) -> Response:
        """``GET /models``: the live version of every model that the client may see, by name."""
        live = [model.live for model in self._host.catalog.list()]
        visible = await visible_models(request, [version.name for version in live])
        return await list_of(version.document() for version in live if version.name in visible)

    async def show(self, request: Request) -> Response:
        """``GET /models/NAME``: that of one of them.

        With what runs it, and its processes, if it may have several.
        """
        version = self._host.catalog.get(request.path_fields["name"])
        document = version.document()
        if runs := await self._host.engine.acceleration(version):
            document["engine"] = runs
        most = Params.of(version.params).instances or self._host.config.engine.instances
        if most != 1:
            loaded = await self._host.engine.servables()
            own = [each for each in loaded if each.model == version.reference]
            document["processes"] = msgspec.to_builtins(own)
        return json_response(document)

    async def download(self, request: Request) -> Response:
        """``GET /models/NAME/download``: a bundle that can be uploaded again."""
        version = self._host.catalog.get(request.path_fields["name"])
        return await bundle_of(self._host, version, f"{version.name}.tar.gz")

    async def upload(self, request: Request) -> Response:
        """``POST /upload``: a form with the parts name, params, model and labels; or a bundle."""
        head, limits = request.head, self._host.config.limits
        media_type = head.content_type.partition(";")[0].strip().lower()
        announced = head.headers.get("content-length", "")
        check_length(announced, limits.max_upload_bytes)
        async with Upload.begun(self._host.publisher, _sender(request)) as upload:
            if name := head.query.get("name"):
                await upload.claim(name)
            if number := head.query.get("version"):
                upload.number(number)
            with step("receive"):
                stream = upload.receiving(request.stream(), announced)
                if media_type in _BUNDLE_TYPES:
                    received = await self._receive_bundle(head, stream, upload)
                else:
                    received = await self._receive_form(head, stream, upload)
            version = await upload.publish(received)
        return json_response(version.document())

    async def _receive_form(
        self, head: Head, stream: AsyncIterator[bytes], upload: Upload
    ) -> Received:
        encoding = _encoding(head, ("base64",))
        form = await read_form(
            stream,
            head.content_type,
            fields={"name": upload.claim},
            files={
                "model": upload.staging / MODEL,
                "params": upload.staging / "params.json",
                "labels": upload.staging / "labels.txt",
            },
            max_bytes=self._host.config.limits.max_upload_bytes,
        )
        if "model" not in form.files:
            raise BadBody("the form lacks the part 'model', the model's file", field="model")
        return Received(
            form.files["model"],
            form.files.get("params"),
            form.files.get("labels"),
            model_is_base64=encoding == "base64",
        )

    async def _receive_bundle(
        self, head: Head, stream: AsyncIterator[bytes], upload: Upload
    ) -> Received:
        encoding = _encoding(head, ("base64", "gzip"))
        limit = self._host.config.limits.max_upload_bytes
        body = await store_body(stream, upload.staging / MODEL, limit)
        return Received(
            body,
            model_is_base64=encoding == "base64",
            must_be_bundle=True,
            must_be_gzip=encoding == "gzip",
        )

    async def delete(self, request: Request) -> Response:
        """``DELETE /delete/NAME``, ``/delete?model=NAME``, or a form with the part model."""
        name = request.path_fields.get("name") or request.query.get("model")
        if name is None:
            name = await self._name_in_form(request)
        await admit(request, name)
        await self._host.publisher.remove(name)
        return json_response({"deleted": name})

    async def _name_in_form(self, request: Request) -> str:
        content_type = request.head.content_type
        if not content_type:
            path = f"{self._host.config.server.base}/delete/NAME"
            raise BadBody(
                f"the request names no model; send DELETE {path}, ?model=NAME, or a form with the "
                "part 'model'",
                field="model",
            )
        limit = self._host.config.limits.max_upload_bytes
        form = await read_form(
            request.stream(), content_type, fields={"model": None}, files={}, max_bytes=limit
        )
        if "model" not in form.fields:
            raise BadBody("the form lacks the part 'model', the model's name", field="model")
        return form.fields["model"]


def _sender(request: Request) -> Sender:
    request_id, visit = request_id_of(request), request.visit
    assert visit is not None
    return Sender(visit.to_model, visit.identity, request.client.ip, request_id, visit.steps)


def _encoding(head: Head, known: tuple[str, ...]) -> str:
    """The Content-Encoding, lower case, empty for none. Raises UnsupportedMediaType."""
    encoding = head.content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in known:
        raise UnsupportedMediaType(
            f"the Content-Encoding is {encoding[:40]!r}; send {' or '.join(known)}, or none",
            expected=list(known),
            got=encoding[:40],
        )
    return encoding


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    api = ModelsApi(host)
    return [
        Route("/models", ("GET",), api.list, operation=_LIST),
        Route("/models/{name}", ("GET",), api.show, operation=_SHOW),
        Route("/models/{name}/download", ("GET",), api.download, operation=_DOWNLOAD),
        Route("/upload", ("POST",), api.upload, streams=True, right="upload", operation=_UPLOAD),
        Route("/bundle", ("POST",), api.upload, streams=True, right="upload", operation=_UPLOAD),
        Route("/delete", ("DELETE",), api.delete, True, right="delete", operation=_DELETE_ANY),
        Route("/delete/{name}", ("DELETE",), api.delete, True, right="delete", operation=_DELETE),
    ]
