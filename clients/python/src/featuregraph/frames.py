"""Frames of three libraries as Arrow tables, and Arrow tables as the frame that came."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.types as types

from .catalogue import suggestion
from .errors import BadUserInput


@dataclass(frozen=True)
class OpenedFrame:
    """A frame's rows in Arrow; ``with_columns`` is the caller's frame itself with columns of as many rows behind it."""

    table: pa.Table
    with_columns: Callable[[pa.Table], Any]


def open_frame(frame: object, wanted: Collection[str]) -> OpenedFrame:
    """A pandas or polars DataFrame or an Arrow table.

    Args:
        frame: What the caller brought.
        wanted: Columns that will be read: an index of pandas that is called so is refused, since it is not sent.

    Raises:
        BadUserInput: For anything else, for names that are no text or stand twice, and for columns of mixed types.
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        return _open_pandas(frame, wanted)
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(frame, polars.DataFrame):
        opened = frame
        return _opened(opened.to_arrow(), lambda made: opened.hstack(polars.from_arrow(_as_floats(made))))
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        table = frame
        return _opened(table, lambda made: _with_columns(table, made))
    kind = f"{type(frame).__module__}.{type(frame).__qualname__}"
    raise BadUserInput(f"expected a pandas or polars DataFrame or a pyarrow Table, got {kind}")


def open_rows(rows: Sequence[Mapping[str, Any]], known: Sequence[str]) -> OpenedFrame:
    """Rows as dicts; they come back as a pandas DataFrame.

    Raises:
        BadUserInput: For names that are not known, and for values of mixed types.
        ModuleNotFoundError: From ``with_columns``, without pandas.
    """
    for row, values in enumerate(rows):
        if not isinstance(values, Mapping):
            raise BadUserInput(f"row {row}: expected a dict, got {type(values).__name__}")
        for name in values:
            if name not in known:
                raise BadUserInput(f'row {row}: "{name}" is not taken; {suggestion(str(name), known)}')
    columns = {}
    for name in known:
        if any(name in values for values in rows):
            column = [values.get(name) for values in rows]
            columns[name] = _array(name, [str(one) if isinstance(one, UUID) else one for one in column])
    table = pa.table(columns)
    return OpenedFrame(table, lambda made: _to_pandas(_with_columns(table, made)))


def require_pandas() -> Any:
    """Pandas, for rows that came as dicts.

    Raises:
        ModuleNotFoundError: With what to install.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        message = (
            "rows of dicts come back as a pandas DataFrame: pip install 'featuregraph[pandas]', or bring an Arrow table"
        )
        raise ModuleNotFoundError(message, name="pandas") from error
    return pandas


def _array(name: str, values: list[Any]) -> pa.Array[Any]:
    try:
        made: pa.Array[Any] = pa.array(values)
    except (pa.ArrowException, OverflowError) as error:
        raise BadUserInput(f"{name}: {error}") from error
    return made


def _opened(table: pa.Table, with_columns: Callable[[pa.Table], Any]) -> OpenedFrame:
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise BadUserInput(f"two columns are called {', '.join(twice)}; rename one")
    return OpenedFrame(table, with_columns)


def _open_pandas(frame: Any, wanted: Collection[str]) -> OpenedFrame:
    pandas = require_pandas()
    unnamed = [name for name in frame.columns if not isinstance(name, str)]
    if unnamed:
        raise BadUserInput(f"columns need names, got {unnamed[0]!r}; frame.columns = […] gives them")
    for name in frame.index.names:
        if name in wanted and name not in frame.columns:
            raise BadUserInput(
                f'"{name}" is the index of the frame, which is not sent; frame.reset_index() makes it a column'
            )
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise BadUserInput(f"two columns are called {', '.join(twice)}; rename one")
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException as error:
        reasons = ": ".join(str(reason) for reason in reversed(error.args))
        raise BadUserInput(f"{reasons}; a column needs values of one type") from error

    def with_columns(made: pa.Table) -> Any:
        columns = _to_pandas(made)
        columns.index = frame.index
        return pandas.concat([frame, columns], axis=1)

    return _opened(table, with_columns)


def _to_pandas(table: pa.Table) -> Any:
    pandas = require_pandas()
    nullable = {
        pa.int8(): pandas.Int8Dtype(),
        pa.int16(): pandas.Int16Dtype(),
        pa.int32(): pandas.Int32Dtype(),
        pa.int64(): pandas.Int64Dtype(),
        pa.uint8(): pandas.UInt8Dtype(),
        pa.uint16(): pandas.UInt16Dtype(),
        pa.uint32(): pandas.UInt32Dtype(),
        pa.uint64(): pandas.UInt64Dtype(),
        pa.bool_(): pandas.BooleanDtype(),
    }
    return _as_floats(table).to_pandas(types_mapper=nullable.get)


def _with_columns(table: pa.Table, made: pa.Table) -> pa.Table:
    for name in made.column_names:
        table = table.append_column(made.schema.field(name), made.column(name))
    return table


def _as_floats(table: pa.Table) -> pa.Table:
    """Decimals as float64: what a model takes."""
    for place, field in enumerate(table.schema):
        if types.is_decimal(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.float64()))
    return table
