"""The values of one input as JSON gives them, as lists or as NumberLists, to an array."""

from __future__ import annotations

from tfaas_plugins.codecs.values.number_lists import NumberListsReader


class JsonReader(NumberListsReader):
    """Reads lists of what JSON has, and NumberLists."""

    lists_alone_hold_numbers = True
