"""The spine, the labelled entity rows of a training set, as the Parquet file that is uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types

from .catalogue import suggestion
from .errors import BadAnswer, BadUserInput

_usual_time = "event_timestamp"


def write_spine(table: pa.Table, path: Path) -> None:
    """As Parquet, without what Arrow or pandas remember of a frame.

    Raises:
        BadUserInput: For a column of a type that Parquet has not.
    """
    try:
        pq.write_table(table, path, compression="zstd", store_schema=False)
    except pa.ArrowException as error:
        raise BadUserInput(f"the spine cannot be written as Parquet: {error}") from error


def spine_schema(path: Path) -> pa.Schema:
    """Columns of a Parquet file.

    Raises:
        BadUserInput: There is no such file, or it is no Parquet file.
    """
    try:
        return pq.read_schema(path)
    except FileNotFoundError as error:
        raise BadUserInput(f"{path}: there is no such file") from error
    except (pa.ArrowException, OSError) as error:
        raise BadUserInput(f"{path}: expected a Parquet file: {error}") from error


def check_spine(schema: pa.Schema, columns: Mapping[str, str], timezone: str | None) -> None:
    """Refuse a spine without event times, or with such without a zone, before anything is uploaded.

    Raises:
        BadUserInput: Saying what to pass. Other columns may have times without a zone.
    """
    for column in columns:
        if column not in schema.names:
            near = suggestion(column, schema.names)
            raise BadUserInput(f'columns= names "{column}", which the spine does not have; {near}')
    name = _time_column(schema, columns)
    if name is None:
        raise BadUserInput(
            f'the spine has no column "{_usual_time}" of the rows\' times; it has {", ".join(schema.names)}; '
            f'another is named by columns={{"at": "{_usual_time}"}}'
        )
    if timezone is not None:
        return
    stored = schema.field(name).type
    if (types.is_timestamp(stored) and stored.tz is None) or types.is_date(stored):
        raise BadUserInput(
            f'the times in "{name}" have no time zone; pass timezone="UTC", or the zone they are in, '
            f'as timezone="Europe/Berlin"'
        )


def _time_column(schema: pa.Schema, columns: Mapping[str, str]) -> str | None:
    """The column that the gateway takes for the rows' times; None where it is not clear here."""
    for column, name in columns.items():
        if name == _usual_time:
            return column
    if _usual_time in schema.names:
        return _usual_time
    times = [field.name for field in schema if types.is_timestamp(field.type) or types.is_date(field.type)]
    return times[0] if len(times) == 1 else None


def made_columns(spine: pa.Table, training_set: pa.Table) -> pa.Table:
    """What a training set has besides the spine that was sent.

    Raises:
        BadAnswer: Its rows are not those of the spine, in order: features would stand beside another row's label.
    """
    if spine.num_rows != training_set.num_rows:
        raise BadAnswer(f"{spine.num_rows} rows were sent and {training_set.num_rows} came back")
    for field in spine.schema:
        common = _compared_as(field.type)
        if common is None or field.name not in training_set.column_names:
            continue
        sent, came = spine.column(field.name).cast(common), training_set.column(field.name).cast(common)
        if not sent.equals(came):
            raise BadAnswer(f'the rows came back with other values in "{field.name}" than were sent')
    return training_set.select([name for name in training_set.column_names if name not in spine.column_names])


def _compared_as(stored: pa.DataType) -> pa.DataType | None:
    """None where a value may come back in another form, as times do that are finer than microseconds."""
    if types.is_integer(stored):
        return pa.decimal128(20) if types.is_uint64(stored) else pa.int64()
    if types.is_string(stored) or types.is_large_string(stored) or types.is_string_view(stored):
        return pa.large_string()
    return None
