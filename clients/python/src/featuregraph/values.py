"""Arrow columns to and from GraphQL's JSON."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.types as types

from .catalogue import Input
from .errors import BadUserInput
from .transport import timestamp_text

_safe_integer = 2**53 - 1

_arrow_types: dict[str, pa.DataType] = {
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "uuid": pa.string(),
}


def is_decimal(value_type: str) -> bool:
    """Whether a registry type is ``decimal(n)``."""
    return value_type.startswith("decimal")


def json_column(column: pa.ChunkedArray[Any], taken: Input) -> list[Any]:
    """An input's values as GraphQL variables take them, NaN as null.

    Raises:
        BadUserInput: For another type, for nulls where none may be, and for values that JSON or the type cannot hold.
    """
    values = _typed(column, taken).to_pylist()
    if taken.type == "int64":
        values = [str(value) if value is not None and abs(value) > _safe_integer else value for value in values]
    elif taken.type == "timestamp":
        values = [None if value is None else timestamp_text(value) for value in values]
    elif taken.type == "bytes":
        values = [None if value is None else b64encode(value).decode() for value in values]
    elif taken.type.startswith(("float", "decimal")) and not taken.type.endswith("[]"):
        values = [_finite(value, row, taken.name) for row, value in enumerate(values)]
    if taken.required and None in values:
        raise BadUserInput(f"row {values.index(None)}: {taken.name} is null, expected {taken.type}")
    return values


def _typed(column: pa.ChunkedArray[Any], taken: Input) -> pa.ChunkedArray[Any]:
    """Cast where nothing is lost and no other meaning is read into the values."""
    wanted = taken.type
    stored = column.type
    if types.is_dictionary(stored):
        column = column.cast(stored.value_type)
        stored = column.type
    is_text = types.is_string(stored) or types.is_large_string(stored) or types.is_string_view(stored)
    is_number = types.is_integer(stored) or types.is_floating(stored) or types.is_decimal(stored)
    fits = {
        "int32": is_number,
        # Decimal text, as GraphQL's Int64 takes it.
        "int64": is_number or is_text,
        "float32": is_number,
        "float64": is_number,
        "bool": types.is_boolean(stored),
        "string": is_text,
        "uuid": is_text,
        "bytes": types.is_binary(stored) or types.is_large_binary(stored),
        "timestamp": types.is_timestamp(stored) and stored.tz is not None,
    }.get(wanted, is_number if is_decimal(wanted) else types.is_list(stored) or types.is_large_list(stored))
    if not fits and not types.is_null(stored):
        hint = "; give the times a zone" if wanted == "timestamp" and types.is_timestamp(stored) else ""
        raise BadUserInput(f"{taken.name}: expected {wanted}, got {stored}{hint}")
    # As float64 an amount keeps its own digits in JSON.
    target = pa.float64() if wanted == "float32" or is_decimal(wanted) else _arrow_types.get(wanted)
    if wanted == "timestamp":
        target = pa.timestamp("us", "UTC")
    if target is None or stored == target:
        return column
    if wanted.startswith("int") and types.is_floating(stored):
        column = _without_nan(column)
    try:
        return column.cast(target, safe=wanted.startswith("int"))
    except pa.ArrowInvalid as error:
        raise BadUserInput(f"{taken.name}: expected {wanted}: {error}") from error


def _without_nan(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    values = [None if value is not None and math.isnan(value) else value for value in column.to_pylist()]
    return pa.chunked_array([pa.array(values, pa.float64())])


def _finite(value: float | None, row: int, name: str) -> float | None:
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise BadUserInput(f"row {row}: {name} is {value}, expected a finite number")
    return value


def answered_column(values: Iterable[Any], value_type: str) -> pa.Array[Any]:
    """A service's values of one name, typed; a ``decimal(n)`` is float64, as GraphQL has it."""
    arrow_type = pa.float64() if is_decimal(value_type) else _arrow_types.get(value_type)
    if value_type == "int64":
        values = [int(value) if isinstance(value, str) else value for value in values]
    elif arrow_type is not None and types.is_floating(arrow_type):
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, arrow_type)
