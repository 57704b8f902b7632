"""A bar for a job, where tqdm is installed."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class ProgressBar:
    """Shows a share from 0 to 1 and a state; nothing without tqdm."""

    def __init__(self, shown: bool) -> None:
        self._bar: Any = None
        if not shown:
            return
        try:
            from tqdm.auto import tqdm
        except ModuleNotFoundError:
            return
        bar_format = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        self._bar = tqdm(total=1.0, bar_format=bar_format)

    def show(self, share: float, state: str) -> None:
        """Never backwards: a job that another gateway resumes may begin below what was shown."""
        if self._bar is not None:
            self._bar.set_description_str(f"training set {state.lower()}", refresh=False)
            self._bar.update(max(0.0, share - self._bar.n))

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
