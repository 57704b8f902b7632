"""What a gateway serves, from its own catalogue: a service's names, types and what it takes."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BadUserInput
from .transport import Repeat, Transport

_document = """query PythonCatalogue {
  entities { joinKeys { name } }
  featureServices {
    name
    graphqlName
    description
    joinKeys { name graphqlName type }
    requestValues { name graphqlName type required }
    vector { name graphqlName view type default }
  }
}"""


@dataclass(frozen=True)
class Input:
    """A join key or a request value that a service takes."""

    name: str
    graphql_name: str
    type: str
    required: bool


@dataclass(frozen=True)
class ServedValue:
    """One value of a service's vector; ``view`` is None for a request value."""

    name: str
    graphql_name: str
    view: str | None
    type: str
    default: float


@dataclass(frozen=True)
class Service:
    """A feature service: what it takes, and what it serves in the order of its vector."""

    name: str
    graphql_name: str
    description: str | None
    join_keys: tuple[Input, ...]
    request_values: tuple[Input, ...]
    vector: tuple[ServedValue, ...]

    @property
    def names(self) -> list[str]:
        """Names of the vector's values, in order."""
        return [value.name for value in self.vector]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The join keys, then the request values."""
        return self.join_keys + self.request_values

    @property
    def features(self) -> list[ServedValue]:
        """The vector without the request values, which the caller brings."""
        return [value for value in self.vector if value.view is not None]

    @property
    def type_name(self) -> str:
        """What GraphQL types of the service begin with."""
        return self.graphql_name[:1].upper() + self.graphql_name[1:]


@dataclass(frozen=True)
class Catalogue:
    """Services by name, and the join keys of all entities."""

    services: Mapping[str, Service]
    join_keys: frozenset[str]

    def service(self, name: str) -> Service:
        """The service of this name.

        Raises:
            BadUserInput: There is none; the message has what is nearest.
        """
        found = self.services.get(name)
        if found is None:
            raise BadUserInput(f'there is no feature service "{name}"; {suggestion(name, self.services)}')
        return found

    def inputs_of(self, service: str | None) -> Collection[str]:
        """Names that a spine may have as join keys or request values; those of all entities without a known service."""
        found = None if service is None else self.services.get(service)
        return self.join_keys if found is None else [taken.name for taken in found.inputs]


def read_catalogue(transport: Transport) -> Catalogue:
    """One request."""
    data, error = transport.graphql(_document, None, Repeat.ALWAYS)
    if error:
        raise error
    services = [_service(one) for one in data["featureServices"]]
    return Catalogue(
        services={service.name: service for service in services},
        join_keys=frozenset(key["name"] for entity in data["entities"] for key in entity["joinKeys"]),
    )


def _service(shown: Mapping[str, Any]) -> Service:
    def inputs(key: str) -> tuple[Input, ...]:
        return tuple(
            Input(one["name"], one["graphqlName"], one["type"], one.get("required", True)) for one in shown[key]
        )

    return Service(
        name=shown["name"],
        graphql_name=shown["graphqlName"],
        description=shown["description"],
        join_keys=inputs("joinKeys"),
        request_values=inputs("requestValues"),
        vector=tuple(
            ServedValue(one["name"], one["graphqlName"], one["view"], one["type"], one["default"])
            for one in shown["vector"]
        ),
    )


def suggestion(name: str, known: Iterable[str]) -> str:
    """What may have been meant, else all there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return f"there is {', '.join(names)}" if names else "there is none"
