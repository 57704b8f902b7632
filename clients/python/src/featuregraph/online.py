"""A service's values of now: rows to batches of keys, answers to columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from .catalogue import Service, suggestion
from .errors import BadUserInput, FeatureGraphError, InvalidQuery, LimitExceeded
from .transport import Repeat, Transport
from .values import answered_column, json_column

Key = dict[str, Any]


def service_keys(service: Service, rows: pa.Table) -> list[Key]:
    """Each row as the service's input; columns that it does not take are left out.

    Raises:
        BadUserInput: For a column that is missing, and for values of another type.
    """
    columns: dict[str, list[Any]] = {}
    for taken in service.inputs:
        if taken.name in rows.column_names:
            columns[taken.graphql_name] = json_column(rows.column(taken.name), taken)
        elif taken.required:
            missing = f'the rows have no column "{taken.name}" ({taken.type}), which {service.name} takes'
            raise BadUserInput(f"{missing}; {suggestion(taken.name, rows.column_names)}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def online_names(service: Service, statuses: bool) -> list[str]:
    """What the columns are called: the features, then their statuses."""
    names = [feature.name for feature in service.features]
    return names + [f"{name}__status" for name in names] if statuses else names


def online_columns(
    transport: Transport, service: Service, keys: list[Key], *, statuses: bool, partial: bool, limit: int
) -> tuple[dict[str, pa.Array[Any]], int]:
    """A column for each feature, then one for each status; and how many keys a request may have."""
    features = service.features
    shown = [feature.graphql_name for feature in features]
    fields = " ".join(shown)
    if statuses:
        fields += f" statuses {{ {' '.join(shown)} }}"
    answers, limit = _ask(transport, service, keys, fields, partial=partial, limit=limit)

    def all_of(part: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
        return [value for answer in part for value in answer[name]]

    columns = {
        feature.name: answered_column(all_of(answers, feature.graphql_name), feature.type) for feature in features
    }
    if statuses:
        parts = [answer["statuses"] for answer in answers]
        for feature in features:
            columns[f"{feature.name}__status"] = pa.array(all_of(parts, feature.graphql_name), pa.string())
    return columns, limit


def online_vectors(
    transport: Transport, service: Service, keys: list[Key], *, limit: int
) -> tuple[list[list[float]], int]:
    """One vector a key, in the service's order; and how many keys a request may have."""
    answers, limit = _ask(transport, service, keys, "names vectors", partial=False, limit=limit)
    for answer in answers:
        if answer["names"] != service.names:
            raise InvalidQuery(f"the vector of {service.name} has changed while it was read")
    return [vector for answer in answers for vector in answer["vectors"]], limit


def _ask(
    transport: Transport, service: Service, keys: list[Key], fields: str, *, partial: bool, limit: int
) -> tuple[list[dict[str, Any]], int]:
    root = f"{service.graphql_name}Columns"
    document = f"query PythonOnline($keys: [{service.type_name}Key!]!) {{ answer: {root}(keys: $keys) {{ {fields} }} }}"
    answers: list[dict[str, Any]] = []
    done = 0
    while done < len(keys):
        batch = keys[done : done + limit]
        try:
            data, error = transport.graphql(document, {"keys": batch}, Repeat.ALWAYS)
        except LimitExceeded:
            if len(batch) == 1:
                raise
            # A gateway may be set to fewer keys, and long keys make a long body.
            limit = len(batch) // 2
            continue
        _raise_unless(partial, error)
        answers.append(data["answer"])
        done += len(batch)
    return answers, limit


def _raise_unless(partial: bool, error: FeatureGraphError | None) -> None:
    if error is not None and not partial:
        raise error
