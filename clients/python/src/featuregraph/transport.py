"""HTTP to the gateway: requests, their errors as exceptions, and what is asked again."""

from __future__ import annotations

import enum
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from uuid import UUID

import httpx

from .errors import (
    BadAnswer,
    BadUserInput,
    FeatureGraphError,
    Overloaded,
    TimedOut,
    Unreachable,
    answered_error,
)
from .version import version

T = TypeVar("T")

_longest_pause = 60.0


class Repeat(enum.Enum):
    """When a request that failed may be sent again."""

    ALWAYS = "it reads, or has an idempotency key"
    REFUSED = "nothing of it reached the gateway, or the gateway refused it whole"
    UNSENT = "nothing of it reached the gateway"


class Transport:
    """One pool of connections to one gateway; may be shared by threads."""

    def __init__(self, url: str, api_key: str | None, timeout: float, retries: int) -> None:
        self.url = _root(url)
        self.timeout = timeout
        self._retries = retries
        headers = {"user-agent": f"featuregraph-python/{version}"}
        if api_key is not None:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def graphql(
        self, document: str, variables: Mapping[str, Any] | None, repeat: Repeat
    ) -> tuple[dict[str, Any], FeatureGraphError | None]:
        """The answer's data, and its errors if it has both; errors without data are raised."""
        try:
            body = json.dumps(
                {"query": document, "variables": dict(variables or {})}, allow_nan=False, default=_json_value
            ).encode()
        except (TypeError, ValueError) as error:
            if isinstance(error, BadUserInput):
                raise
            raise BadUserInput(f"the variables are not JSON: {error}") from error
        headers = {"content-type": "application/json"}

        def ask() -> tuple[dict[str, Any], FeatureGraphError | None]:
            with self.answer("POST", "/graphql", content=body, headers=headers) as answer:
                return _graphql_answer(answer)

        return self.again(ask, repeat)

    @contextmanager
    def answer(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:
        """An answer whose body has not been read yet; what breaks while the block reads it is raised as ours."""
        try:
            with self._http.stream(method, self.url + path, **options) as response:
                yield response
        except (httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TimedOut(f"{self.url}: no connection within {self.timeout} s") from error
        except httpx.TimeoutException as error:
            raise TimedOut(f"{self.url}{path}: no answer within {self.timeout} s") from error
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            message = f"{self.url} cannot be reached ({error}); is the gateway running, and is this its address?"
            raise Unreachable(message, was_sent=False) from error
        except httpx.TransportError as error:
            raise Unreachable(f"{self.url}{path}: the connection broke ({error})", was_sent=True) from error

    def again(self, action: Callable[[], T], repeat: Repeat) -> T:
        """Runs it, and again, with growing pauses, where its failure allows that."""
        for attempt in range(self._retries):
            try:
                return action()
            except FeatureGraphError as error:
                if not _may_repeat(error, repeat):
                    raise
                pause = error.retry_after
                if pause is None:
                    pause = 0.2 * 2**attempt * random.uniform(0.5, 1)
                if pause > _longest_pause:
                    raise
                time.sleep(pause)
        return action()


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer itself, of a route that is not GraphQL's; its errors are raised."""
    if answer.is_success:
        return answer
    _, error = _graphql_answer(answer)
    raise error or BadAnswer(f"{answer.url}: HTTP {answer.status_code}", status=answer.status_code)


def _root(url: str) -> str:
    """The gateway's address; people have that of its GraphQL at hand."""
    root = url.strip().rstrip("/").removesuffix("/graphql").rstrip("/")
    if not root.startswith(("http://", "https://")):
        raise BadUserInput(f"expected a gateway's address such as http://localhost:4000, got {url!r}")
    return root


def _may_repeat(error: FeatureGraphError, repeat: Repeat) -> bool:
    if isinstance(error, Unreachable):
        return repeat is Repeat.ALWAYS or not error.was_sent
    if isinstance(error, Overloaded) or error.status in (429, 503):
        return repeat is not Repeat.UNSENT
    return error.status in (502, 504) and repeat is Repeat.ALWAYS


def _graphql_answer(answer: httpx.Response) -> tuple[dict[str, Any], FeatureGraphError | None]:
    status = answer.status_code
    try:
        body = json.loads(answer.read())
    except ValueError:
        body = None
    retry_after = _seconds(answer.headers.get("retry-after"))
    if not isinstance(body, dict) or not ("data" in body or body.get("errors")):
        if status in (429, 503):
            raise Overloaded(f"{answer.url}: HTTP {status}", status=status, retry_after=retry_after)
        raise BadAnswer(f"{answer.url}: HTTP {status}, and not an answer of a gateway", status=status)
    data = body.get("data")
    errors = body.get("errors")
    error = answered_error(errors, data=data, status=status, retry_after=retry_after) if errors else None
    if data is None or isinstance(error, Overloaded):
        raise error or BadAnswer(f"{answer.url}: neither data nor errors came", status=status)
    return data, error


def _seconds(retry_after: str | None) -> float | None:
    """A ``Retry-After`` of seconds or of a time."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None


def _json_value(value: object) -> Any:
    if isinstance(value, datetime):
        return timestamp_text(value)
    if isinstance(value, UUID):
        return str(value)
    # NumPy's scalars.
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise TypeError(f"{type(value).__name__} {value!r}")


def timestamp_text(time: datetime) -> str:
    """RFC 3339 in UTC.

    Raises:
        BadUserInput: For a time without a zone.
    """
    if time.tzinfo is None:
        raise BadUserInput(f"{time!r} has no time zone; give it one, as datetime(…, tzinfo=timezone.utc)")
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
