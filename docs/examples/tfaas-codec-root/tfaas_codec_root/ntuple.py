"""RNTuple: its fields, and the pages of those that are needed."""

from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from tfaas_codec_root.budget import Budget, check_metadata
from tfaas_codec_root.chunks import CountedChunk
from tfaas_codec_root.damage import quoted
from tfaas_codec_root.table import Column, Table
from tfaas_core.errors import BadBody
from tfaas_core.tensors import Array

_MOST_BYTES_OF_A_VALUE = 8


class NTuple(Table):
    """An RNTuple. ``model`` is what uproot has read of it; fields in others are left out."""

    kind = "RNTuple"

    def __init__(self, name: str, model: Any, budget: Budget) -> None:
        self.name = name
        self._model = model
        self._budget = budget
        check_metadata(model.member("fLenHeader") + model.member("fLenFooter"))
        _count_reads(model)
        links = [record.page_list_link for record in model.footer.cluster_group_records]
        check_metadata(sum(max(link.env_uncomp_size, link.locator.num_bytes) for link in links))
        self._parents = [int(record.parent_field_id) for record in model.field_records]
        # uproot follows parents without an end; as they are written, they come first.
        if any(parent > number for number, parent in enumerate(self._parents)):
            raise BadBody("the fields of the RNTuple are in a circle")
        self.rows = int(model.num_entries)
        self.names: dict[str, int] = {}
        for number, parent in enumerate(self._parents):
            if parent == number:
                self.names.setdefault(model.field_records[number].field_name, number)

    @property
    def counters(self) -> set[str]:
        return set()

    def read(self, name: str) -> Column:
        self._take(self.names[name])
        array = self._model.all_fields[self.names[name]].array(array_cache=None)
        if len(array) != self.rows:
            raise BadBody(
                f"field {quoted(name)} has {len(array)} entries, the RNTuple has {self.rows}"
            )
        counts, layout = None, array.layout
        if layout.is_list and not layout.is_regular and not layout.parameters:
            counts = np.asarray(ak.num(array), np.int64)
            array = ak.flatten(array)
            layout = array.layout
        while layout.is_regular and not layout.parameters:
            layout = layout.content
        if not layout.is_numpy or layout.parameters:
            raise self.unread(name, f"of type {quoted(str(array.type.content))}")
        numbers: Array = ak.to_numpy(array)
        width = int(np.prod(numbers.shape[1:]))
        return Column(numbers.reshape(len(numbers), width), counts)

    def _take(self, field: int) -> None:
        """What the columns of a field say that they have is taken from the budget."""
        fields = {field}
        for number, parent in enumerate(self._parents):
            if parent in fields:
                fields.add(number)
        records = self._model.field_records
        # A projected field has the columns of another one.
        fields |= {records[each].source_field_id for each in fields}
        columns = {c.idx: c for c in self._model.column_records if c.field_id in fields}
        values = sum(int(column.first_element_index) for column in columns.values())
        for cluster in self._model.page_link_list:
            for index in columns.keys() & range(len(cluster)):
                values += sum(int(page.num_elements) for page in cluster[index].pages)
        self._budget.take(values * _MOST_BYTES_OF_A_VALUE)


def _count_reads(model: Any) -> None:
    """Whatever uproot reads of this RNTuple, it does not read again and again."""
    model._prepare_header_chunk()
    model._header_chunk = CountedChunk(model._header_chunk)
    model._prepare_footer_chunk()
    model._footer_chunk = CountedChunk(model._footer_chunk)
    locate = model.read_locator

    def read_locator(locator: Any, size: int) -> tuple[Any, Any]:
        chunk, cursor = locate(locator, size)
        return CountedChunk(chunk), cursor

    model.read_locator = read_locator
