"""What can go wrong, as exceptions with the gateway's own codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class FeatureGraphError(Exception):
    """The base of this package's errors, and the class of a code that has none of its own.

    Attributes:
        code: The gateway's code, such as ``BAD_USER_INPUT``, or one of this package's (``UNREACHABLE``, ``TIMEOUT``,
            ``BAD_ANSWER``, ``CANCELLED``, ``EXPIRED``).
        errors: All errors of the answer, as GraphQL has them: message, path, extensions.
        data: What the answer has beside its errors; None where nothing was executed.
        status: The HTTP status; None where no answer came.
        request_id: The id under which the gateway's log has the request.
        retry_after: Seconds that the gateway asks callers to wait.
    """

    code: str = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        data: Mapping[str, Any] | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.errors = tuple(errors)
        self.data = data
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class BadUserInput(FeatureGraphError, ValueError):
    """What was sent cannot be used; the message says what was expected and what came."""

    code = "BAD_USER_INPUT"


class InvalidQuery(BadUserInput):
    """The document is not GraphQL, or not of this gateway's schema."""

    code = "GRAPHQL_VALIDATION_FAILED"


class LimitExceeded(FeatureGraphError):
    """The request is larger than the gateway allows; nothing of it was executed."""

    code = "LIMIT_EXCEEDED"


class Unauthenticated(FeatureGraphError):
    """There is no API key, or it is not known."""

    code = "UNAUTHENTICATED"


class Forbidden(FeatureGraphError):
    """The API key is known and lacks the right."""

    code = "FORBIDDEN"


class NotFound(FeatureGraphError):
    """There is nothing of this name, id or address."""

    code = "NOT_FOUND"


class Overloaded(FeatureGraphError):
    """The gateway has more to do than it takes on; it was asked again as often as ``retries`` allows."""

    code = "OVERLOADED"


class Unavailable(FeatureGraphError):
    """A feature view could not be read; ``data`` has what could."""

    code = "UNAVAILABLE"


class GatewayFailed(FeatureGraphError):
    """A fault of the gateway; its log has the details under ``request_id``."""

    code = "INTERNAL_SERVER_ERROR"


class BadAnswer(FeatureGraphError):
    """The answer is not one of a gateway, or not whole."""

    code = "BAD_ANSWER"


class Unreachable(FeatureGraphError):
    """No connection, or one that broke.

    Attributes:
        was_sent: Whether the gateway may have received the request.
    """

    code = "UNREACHABLE"

    def __init__(self, message: str, *, was_sent: bool = True) -> None:
        super().__init__(message)
        self.was_sent = was_sent


class TimedOut(FeatureGraphError, TimeoutError):
    """No answer within ``timeout``."""

    code = "TIMEOUT"


class TrainingSetFailed(FeatureGraphError):
    """The job ended without a training set; ``code`` and the message are the job's."""


_classes: Mapping[str, type[FeatureGraphError]] = {
    "BAD_USER_INPUT": BadUserInput,
    "BAD_REQUEST": BadUserInput,
    "UNSUPPORTED_MEDIA_TYPE": BadUserInput,
    "GRAPHQL_PARSE_FAILED": InvalidQuery,
    "GRAPHQL_VALIDATION_FAILED": InvalidQuery,
    "OPERATION_RESOLUTION_FAILURE": InvalidQuery,
    "LIMIT_EXCEEDED": LimitExceeded,
    "UNAUTHENTICATED": Unauthenticated,
    "FORBIDDEN": Forbidden,
    "NOT_FOUND": NotFound,
    "OVERLOADED": Overloaded,
    "UNAVAILABLE": Unavailable,
    "HISTORY_EXPIRED": Unavailable,
    "INTERNAL_SERVER_ERROR": GatewayFailed,
}


def answered_error(
    errors: Sequence[Mapping[str, Any]],
    *,
    data: Mapping[str, Any] | None,
    status: int,
    retry_after: float | None = None,
) -> FeatureGraphError:
    """The exception for an answer's errors, of the first one's class."""
    first = errors[0]
    extensions = first.get("extensions") or {}
    code = str(extensions.get("code", FeatureGraphError.code))
    message = str(first.get("message", "an error without a message"))
    if len(errors) > 1:
        message += f" (and {len(errors) - 1} more: see .errors)"
    return _classes.get(code, FeatureGraphError)(
        message,
        code=code,
        errors=errors,
        data=data,
        status=status,
        request_id=extensions.get("requestId"),
        retry_after=retry_after,
    )
