"""Client of the featuregraph gateway: training sets from DataFrames, online features and vectors."""

from .catalogue import Input, ServedValue, Service
from .client import FeatureGraph, TrainingSetOptions
from .errors import (
    BadAnswer,
    BadUserInput,
    FeatureGraphError,
    Forbidden,
    GatewayFailed,
    InvalidQuery,
    LimitExceeded,
    NotFound,
    Overloaded,
    TimedOut,
    TrainingSetFailed,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from .training_set import TrainingSetJob
from .version import version as __version__

__all__ = [
    "BadAnswer",
    "BadUserInput",
    "FeatureGraph",
    "FeatureGraphError",
    "Forbidden",
    "GatewayFailed",
    "Input",
    "InvalidQuery",
    "LimitExceeded",
    "NotFound",
    "Overloaded",
    "ServedValue",
    "Service",
    "TimedOut",
    "TrainingSetFailed",
    "TrainingSetJob",
    "TrainingSetOptions",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "__version__",
]
