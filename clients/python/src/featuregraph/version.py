"""The package's version, as it was installed."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _installed

try:
    version = _installed("featuregraph")
except PackageNotFoundError:  # from a checkout
    version = "0"
