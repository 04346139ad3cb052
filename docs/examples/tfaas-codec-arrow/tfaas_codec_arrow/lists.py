"""Lists in a column: equally long in all rows, they are axes of an array."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import types

from tfaas_codec_arrow.kinds import is_list
from tfaas_codec_arrow.leaves import first_null
from tfaas_core.errors import DoesNotFit

Sizes = tuple[int | None, ...]


class Lists(msgspec.Struct, frozen=True):
    """The values of all lists, one after the other, and the sizes of lists, the outer one first.

    A size is None if there is no list that has one.
    """

    values: pa.Array
    sizes: Sizes


def unlisted(array: pa.Array, place: Callable[[int], str]) -> Lists:
    """Takes the lists of a column apart, without a copy.

    ``place`` is what messages call a row. Raises DoesNotFit for a null instead of a list, and if
    lists are not equally long.
    """
    sizes: Sizes = ()
    while is_list(array.type):
        place_of = partial(_place_of, place, prod(size or 0 for size in sizes))
        if array.null_count:
            raise DoesNotFit(f"{place_of(first_null(array))} is null, send a list")
        sizes = (*sizes, _size(array, place_of))
        array = array.flatten()
    return Lists(array, sizes)


def _place_of(place: Callable[[int], str], per_row: int, index: int) -> str:
    return place(index // max(1, per_row))


def _size(array: pa.Array, place: Callable[[int], str]) -> int | None:
    if types.is_fixed_size_list(array.type):
        return int(array.type.list_size)
    if not len(array):
        return None
    lengths = array.value_lengths().to_numpy()
    if (lengths != lengths[0]).any():
        index = int(np.argmax(lengths != lengths[0]))
        raise DoesNotFit(
            f"{place(index)} is a list of {lengths[index]}, {place(0)} is one of {lengths[0]}; "
            "send lists that are equally long",
            expected=int(lengths[0]),
            got=int(lengths[index]),
        )
    return int(lengths[0])
