"""The root codec: a ROOT file with a TTree or an RNTuple, an entry for each row of the model."""

from __future__ import annotations

from functools import partial

from tfaas_codec_root.binding import FileBinding
from tfaas_codec_root.file import check_length
from tfaas_codec_root.writing import written
from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import DoesNotFit, NotAcceptable
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import number_of
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.values.bindings import Bindings

ROOT = "application/x-root"
"""Nobody has registered a media type for ROOT files; this is the one that is in use."""


class FileDocument(Document):
    """A ROOT file, not yet read. ``tree``: the one that the request names, or nothing."""

    body: bytes
    tree: str


class RootCodec(Codec[FileDocument]):
    """The query names the model, if the path does not, and the tree, if there are several."""

    name = "root"
    media_types = (ROOT,)

    def __init__(self, limit_bytes: int) -> None:
        self._bindings = Bindings(partial(FileBinding, limit_bytes=limit_bytes))

    def parse(self, body: bytes, head: Head) -> FileDocument:
        """Looks at the header; raises BadBody if that is none, or the file is not whole."""
        check_length(body)
        query, version = head.query, head.query.get("version")
        return FileDocument(
            model=query.get("model"),
            version=None if version is None else number_of(version),
            label=query.get("label"),
            body=body,
            tree=query.get("tree") or "",
        )

    def is_heavy(self, document: FileDocument, version: ModelVersion) -> bool:
        """Whatever a file expands to, uproot takes milliseconds to read what describes a tree."""
        return True

    def bind(self, document: FileDocument, version: ModelVersion) -> Bound:
        """Branches by the model's features, or by the names of its inputs."""
        return self._bindings.of(version).bind(document.body, document.tree)

    def encode(
        self, outputs: Arrays, bound: Bound, document: FileDocument, version: ModelVersion
    ) -> Encoded:
        return Encoded(written(outputs, version), ROOT)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """A file with a TTree, which has a branch for each output, or for each label."""
        try:
            return Encoded(written(outputs, version), ROOT)
        except DoesNotFit as error:
            raise NotAcceptable(error.message) from None
