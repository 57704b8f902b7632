"""Training sets: the spine's upload, the job, and the download of its parts."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import (
    BadAnswer,
    BadUserInput,
    FeatureGraphError,
    NotFound,
    Overloaded,
    TimedOut,
    TrainingSetFailed,
    Unreachable,
)
from .progress import ProgressBar
from .transport import Repeat, Transport, checked

_fields = "id state progress rows error errorCode cardUrl parts { url rows bytes sha256 }"
_create = f"""mutation PythonCreateTrainingSet($input: CreateTrainingSetInput!) {{
  trainingSet: createTrainingSet(input: $input) {{ {_fields} }}
}}"""
_read = f"query PythonTrainingSet($id: ID!) {{ trainingSet(id: $id) {{ {_fields} }} }}"
_cancel = f"""mutation PythonCancelTrainingSet($id: ID!) {{
  trainingSet: cancelTrainingSet(id: $id) {{ {_fields} }}
}}"""
_delete = "mutation PythonDeleteTrainingSet($id: ID!) { deleteTrainingSet(id: $id) }"

_ended = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"})
_shortest_pause = 0.1
_longest_pause = 2.0
# A gateway that was killed is given this long to come back, or another to take the job over.
_patience = 120.0


@dataclass(frozen=True)
class Spine:
    """A spine that the gateway has."""

    id: str
    rows: int


def upload_spine(transport: Transport, path: Path) -> Spine:
    """Streams a Parquet file; what breaks half-way is not sent again."""
    # The answer comes once the whole file has been validated.
    timeout = httpx.Timeout(transport.timeout, read=None)

    def upload() -> Spine:
        with (
            path.open("rb") as body,
            transport.answer(
                "POST",
                "/spines?format=parquet",
                content=body,
                timeout=timeout,
                headers={
                    "content-type": "application/vnd.apache.parquet",
                    "content-length": str(path.stat().st_size),
                },
            ) as answer,
        ):
            stored = json.loads(checked(answer).read())
            return Spine(stored["id"], int(stored["rows"]))

    return transport.again(upload, Repeat.REFUSED)


class TrainingSetJob:
    """A training set that a gateway makes, or has made.

    Attributes:
        id: Finds it again: ``fg.training_set_job(id)``, also from another process.
        state: As of the last answer: QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED or EXPIRED.
        progress: From 0 to 1.
        rows: Of the spine, and so of the training set.
    """

    id: str
    state: str
    progress: float
    rows: int | None

    def __init__(self, transport: Transport, shown: Mapping[str, Any]) -> None:
        self._transport = transport
        self._show(shown)

    def __repr__(self) -> str:
        return f"<TrainingSetJob {self.id} {self.state} {self.progress:.0%}>"

    @classmethod
    def create(cls, transport: Transport, request: Mapping[str, Any]) -> TrainingSetJob:
        """Of a ``CreateTrainingSetInput``; its idempotency key lets it be sent again."""
        data, error = transport.graphql(_create, {"input": request}, Repeat.ALWAYS)
        if error:
            raise error
        return cls(transport, data["trainingSet"])

    @classmethod
    def find(cls, transport: Transport, job_id: str) -> TrainingSetJob:
        """The job of this id.

        Raises:
            NotFound: There is none, or not for this API key.
        """
        return cls(transport, _find(transport, job_id))

    def refresh(self) -> TrainingSetJob:
        """Ask the gateway how far it is."""
        self._show(_find(self._transport, self.id))
        return self

    def wait(self, *, progress: bool = True) -> TrainingSetJob:
        """Until it has succeeded; with a bar where tqdm is installed.

        A gateway that is away for less than two minutes is waited for: the job survives it.

        Raises:
            TrainingSetFailed: It failed, or was cancelled; ``code`` is the job's.
        """
        pause = _shortest_pause
        seen = time.monotonic()
        with ProgressBar(progress) as bar:
            while self.state not in _ended:
                bar.show(self.progress, self.state)
                time.sleep(pause)
                pause = min(pause * 1.5, _longest_pause)
                try:
                    self.refresh()
                    seen = time.monotonic()
                except (Unreachable, TimedOut, Overloaded) as error:
                    if time.monotonic() - seen > _patience:
                        raise
                    pause = pause if error.retry_after is None else error.retry_after
            bar.show(self.progress, self.state)
        if self.state != "SUCCEEDED":
            raise self._failure()
        return self

    def card(self) -> dict[str, Any]:
        """What the training set was made of, as the card beside the file says it."""
        if self._card_url is None:
            raise NotFound(f"training set {self.id} has no card, it is {self.state}")
        path = _path(self._card_url)

        def read() -> Any:
            with self._transport.answer("GET", path) as answer:
                return json.loads(checked(answer).read())

        card: dict[str, Any] = self._transport.again(read, Repeat.ALWAYS)
        return card

    def download(self, folder: str | Path) -> list[Path]:
        """The finished training set's Parquet files, in order, into a folder, with ``card.json`` beside them.

        Each is checked by its SHA-256 before it gets its name. A connection that breaks is taken up where it broke.
        """
        if self.state != "SUCCEEDED":
            raise self._failure()
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        files = [self._download(part, into) for part in self._parts]
        (into / "card.json").write_text(json.dumps(self.card(), indent=2, ensure_ascii=False), "utf-8")
        return files

    def read(self, folder: str | Path) -> pa.Table:
        """``download``, and all of it as one Arrow table."""
        return pa.concat_tables([pq.read_table(path, partitioning=None) for path in self.download(folder)])

    def cancel(self) -> TrainingSetJob:
        """Stop it; a job that has ended stays as it is."""
        data, error = self._transport.graphql(_cancel, {"id": self.id}, Repeat.ALWAYS)
        if error:
            raise error
        self._show(data["trainingSet"])
        return self

    def delete(self) -> None:
        """Remove it and its files from the gateway; what was downloaded stays."""
        _, error = self._transport.graphql(_delete, {"id": self.id}, Repeat.UNSENT)
        if error:
            raise error

    def _show(self, shown: Mapping[str, Any]) -> None:
        self.id = shown["id"]
        self.state = shown["state"]
        self.progress = shown["progress"]
        self.rows = None if shown["rows"] is None else int(shown["rows"])
        self._error: str | None = shown["error"]
        self._error_code: str | None = shown["errorCode"]
        self._card_url: str | None = shown["cardUrl"]
        self._parts: list[Mapping[str, Any]] = shown["parts"]

    def _failure(self) -> FeatureGraphError:
        if self.state not in _ended:
            return BadUserInput(f"training set {self.id} is {self.state}; job.wait() waits until it has succeeded")
        words = {
            "CANCELLED": "was cancelled",
            "EXPIRED": "has expired, its files are removed",
            "FAILED": "failed",
        }
        reason = f": {self._error}" if self._error else ""
        code = self._error_code or self.state
        return TrainingSetFailed(f"training set {self.id} {words.get(self.state, self.state)}{reason}", code=code)

    def _download(self, part: Mapping[str, Any], folder: Path) -> Path:
        path = _path(part["url"])
        target = folder / path.rsplit("/", 1)[-1]
        growing = target.with_name(f".{target.name}.part")
        digest = hashlib.sha256()
        done = 0
        try:
            with growing.open("wb") as file:

                def read() -> None:
                    nonlocal done
                    headers = {"accept-encoding": "identity", **({"range": f"bytes={done}-"} if done > 0 else {})}
                    with self._transport.answer("GET", path, headers=headers) as answer:
                        if checked(answer).status_code != 206 and done > 0:
                            raise BadAnswer(f"{target.name}: the gateway does not send the rest of it")
                        for chunk in answer.iter_bytes():
                            digest.update(chunk)
                            file.write(chunk)
                            done += len(chunk)

                self._transport.again(read, Repeat.ALWAYS)
            if digest.hexdigest() != part["sha256"]:
                raise BadAnswer(f"{target.name} came with other bytes than the gateway has; download it again")
            growing.replace(target)
        finally:
            growing.unlink(missing_ok=True)
        return target


def _find(transport: Transport, job_id: str) -> Mapping[str, Any]:
    data, error = transport.graphql(_read, {"id": job_id}, Repeat.ALWAYS)
    if error:
        raise error
    found: Mapping[str, Any] | None = data["trainingSet"]
    if found is None:
        raise NotFound(f"there is no training set {job_id}")
    return found


def _path(url: str) -> str:
    """Without the host: the API key goes to the gateway that the caller named, and nowhere else."""
    return urlsplit(url).path
