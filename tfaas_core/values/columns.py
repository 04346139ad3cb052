"""The columns of a model's rows, put into its order by their names."""

from __future__ import annotations

from collections.abc import Sized

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params


class Columns:
    """The order of one version's columns, if its params list its ``features``."""

    def __init__(self, version: ModelVersion, row_shape: tuple[int | None, ...] | None) -> None:
        self._model = version.name
        self._features = list(Params.of(version.params).features)
        self._ordered = bool(self._features) and (row_shape is None or len(row_shape) == 1)

    def order(self, keys: list[str], place: str) -> list[int] | None:
        """Where in ``keys`` each feature is; None if the order sent is the order used.

        ``place`` is what messages call the keys. Raises DoesNotFit, naming the key, if one is
        missing, unknown or sent twice.
        """
        if not self._ordered or keys == self._features:
            return None
        places = {key: index for index, key in enumerate(keys)}
        if len(places) < len(keys):
            twice = next(key for index, key in enumerate(keys) if places[key] != index)
            raise self._wrong_key(place, twice, "sent twice")
        try:
            order = [places[key] for key in self._features]
        except KeyError as missing:
            raise self._wrong_key(place, missing.args[0], "missing") from None
        if len(places) > len(order):
            raise self._wrong_key(place, (places.keys() - self._features).pop(), "unknown")
        return order

    def check_count(self, keys: Sized, columns: int, place: str, values: str) -> None:
        """Raises DoesNotFit if there are not as many keys as columns in ``values``."""
        if len(keys) != columns:
            raise DoesNotFit(
                f"{place} names {len(keys)} column{'s' * (len(keys) != 1)}, {values} has {columns}",
                field=place,
                expected=columns,
                got=len(keys),
                model=self._model,
            )

    def _wrong_key(self, place: str, key: str, fault: str) -> DoesNotFit:
        where = f" in {place}" if "." in place else ""
        return DoesNotFit(
            f"key {key[:80]!r} is {fault}{where}, model {self._model!r} takes each of its features "
            "once",
            field=place,
            got=key[:80],
            expected=self._features,
            model=self._model,
        )
