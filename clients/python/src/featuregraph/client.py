"""The client: one object for a gateway."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast, overload

import pyarrow as pa

from .catalogue import Catalogue, Service, read_catalogue
from .errors import BadUserInput, FeatureGraphError, InvalidQuery
from .frames import OpenedFrame, open_frame, open_rows, require_pandas
from .online import online_columns, online_names, online_vectors, service_keys
from .query import is_read_only
from .spine import check_spine, made_columns, spine_schema, write_spine
from .training_set import TrainingSetJob, upload_spine
from .transport import Repeat, Transport, timestamp_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import polars as pl
    from typing_extensions import Unpack

FrameT = TypeVar("FrameT", "pd.DataFrame", "pl.DataFrame", "pa.Table")
T = TypeVar("T")
Rows = Sequence[Mapping[str, Any]]
TimeUnit = Literal["s", "ms", "us", "ns"]


class TrainingSetOptions(TypedDict, total=False):
    """What a training set is made of; ``FeatureGraph.training_set`` says what each means."""

    service: str | None
    features: Sequence[str] | None
    known_at: str | datetime | None
    columns: Mapping[str, str] | None
    vector: bool
    statuses: bool
    full_names: bool
    time_unit: TimeUnit | None
    timezone: str | None


class FeatureGraph:
    """A featuregraph gateway: training sets, online features, vectors, and any query.

    Args:
        url: The gateway's address, ``http://localhost:4000``; without it the environment's ``FEATUREGRAPH_URL``.
        api_key: Without it the environment's ``FEATUREGRAPH_API_KEY``; a gateway on this machine may need none.
        timeout: Seconds to wait for a connection and for each piece of an answer; a training set takes as long as it
            takes.
        retries: How often a request is sent again that the gateway refused for its load (``Retry-After`` is kept) or
            whose connection broke. Only reads are, and what may be sent twice; a mutation by ``query`` is sent again
            only where no connection was made, an upload not once it has begun.

    Connections are kept; ``close()`` or a ``with`` block ends them. Threads may share a client.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 2,
    ) -> None:
        url = url or os.environ.get("FEATUREGRAPH_URL")
        if not url:
            raise BadUserInput("no gateway: pass url, as http://localhost:4000, or set FEATUREGRAPH_URL")
        key = api_key or os.environ.get("FEATUREGRAPH_API_KEY") or None
        self._transport = Transport(url, key, timeout, retries)
        self._known: Catalogue | None = None
        self._limit = 1_000

    def __repr__(self) -> str:
        return f"FeatureGraph({self._transport.url!r})"

    def __enter__(self) -> FeatureGraph:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def service(self, name: str) -> Service:
        """What a feature service takes and serves: names and types, and ``names``, the order of its vector."""
        return self._with_service(name, lambda service: service)

    def services(self) -> list[Service]:
        """All feature services, as the gateway serves them now."""
        self._known = read_catalogue(self._transport)
        return list(self._known.services.values())

    @overload
    def online(self, service: str, rows: FrameT, *, statuses: bool = ..., partial: bool = ...) -> FrameT: ...

    @overload
    def online(self, service: str, rows: Rows, *, statuses: bool = ..., partial: bool = ...) -> pd.DataFrame: ...

    def online(self, service: str, rows: Any, *, statuses: bool = False, partial: bool = False) -> Any:
        """The service's values of this moment: the rows, and behind them a column for each feature.

        Args:
            service: Its name in the registry, ``fraud_detection_v1``.
            rows: Join keys and request values under their names in the registry (``customer_id``): a pandas or polars
                DataFrame or an Arrow table, which comes back as the same kind with all its columns (and its index), or
                a list of dicts, which comes back as a pandas DataFrame. Any number: more than a request may have are
                asked for in several, each of its own moment.
            statuses: Also a column ``<feature>__status`` for each feature: why a value is null.
            partial: Views that could not be read leave nulls (status ``UNAVAILABLE``) instead of raising.

        Raises:
            BadUserInput: For rows that the service does not take.
            Unavailable: A view could not be read; ``partial=True`` takes what could.
        """

        def read(found: Service) -> Any:
            opened = self._open(rows, found)
            names = online_names(found, statuses)
            for name in names:
                if name in opened.table.column_names:
                    raise BadUserInput(f'the rows have a column "{name}", as a feature is called; rename it')
            keys = service_keys(found, opened.table)
            columns, self._limit = online_columns(
                self._transport, found, keys, statuses=statuses, partial=partial, limit=self._limit
            )
            return opened.with_columns(pa.table(columns))

        if isinstance(rows, (list, tuple)):
            require_pandas()
        return self._with_service(service, read)

    def vectors(self, service: str, rows: pd.DataFrame | pl.DataFrame | pa.Table | Rows) -> npt.NDArray[np.float64]:
        """The service's vectors of this moment: float64, a line per row, columns in the order of ``service(…).names``.

        Nulls are the service's defaults, as in a training set's ``vector``. A view that cannot be read raises: its
        defaults would look like values.

        Raises:
            BadUserInput: For rows that the service does not take.
            Unavailable: A view could not be read.
        """
        try:
            import numpy
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("vectors are NumPy arrays: pip install numpy", name="numpy") from error

        def read(found: Service) -> npt.NDArray[np.float64]:
            keys = service_keys(found, self._open(rows, found).table)
            vectors, self._limit = online_vectors(self._transport, found, keys, limit=self._limit)
            return numpy.array(vectors, dtype=numpy.float64).reshape(len(vectors), len(found.vector))

        return self._with_service(service, read)

    def query(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The data of any GraphQL document of one operation; variables take times with a zone, and NumPy's numbers.

        Raises:
            FeatureGraphError: For any error of the answer, also one beside data, which it then has as ``data``; of the
                class of the first error's code, with all of them as ``errors``.
        """
        repeat = Repeat.ALWAYS if is_read_only(document) else Repeat.UNSENT
        data, error = self._transport.graphql(document, variables, repeat)
        if error:
            raise error
        return data

    @overload
    def training_set(
        self,
        spine: FrameT,
        *,
        progress: bool = ...,
        return_card: Literal[False] = ...,
        **options: Unpack[TrainingSetOptions],
    ) -> FrameT: ...

    @overload
    def training_set(
        self,
        spine: FrameT,
        *,
        progress: bool = ...,
        return_card: Literal[True],
        **options: Unpack[TrainingSetOptions],
    ) -> tuple[FrameT, dict[str, Any]]: ...

    @overload
    def training_set(
        self,
        spine: str | os.PathLike[str],
        *,
        progress: bool = ...,
        return_card: Literal[False] = ...,
        **options: Unpack[TrainingSetOptions],
    ) -> pa.Table: ...

    @overload
    def training_set(
        self,
        spine: str | os.PathLike[str],
        *,
        progress: bool = ...,
        return_card: Literal[True],
        **options: Unpack[TrainingSetOptions],
    ) -> tuple[pa.Table, dict[str, Any]]: ...

    def training_set(
        self,
        spine: Any,
        *,
        service: str | None = None,
        features: Sequence[str] | None = None,
        known_at: str | datetime | None = None,
        columns: Mapping[str, str] | None = None,
        vector: bool = False,
        statuses: bool = False,
        full_names: bool = False,
        time_unit: TimeUnit | None = None,
        timezone: str | None = None,
        progress: bool = True,
        return_card: bool = False,
    ) -> Any:
        """The spine's rows with the features of each row's own moment, in order, duplicates included.

        The spine is uploaded, the gateway makes the training set in a job, and its files are downloaded and read.
        Ctrl-C cancels the job. ``start_training_set`` gives the job itself, for sets that are larger than the memory.

        Args:
            spine: Labelled entity rows (Feast: ``entity_df``): join keys and request values under their names in the
                registry, each row's time as ``event_timestamp``, and anything else, such as the label. A pandas or
                polars DataFrame or an Arrow table, which comes back as the same kind; or the path of a Parquet file,
                which comes back as an Arrow table.
            service: The feature service whose values are wanted; or
            features: features of any views, each as ``view:feature``, or ``view`` for all of a view's.
            known_at: Only what was known at this time; ``"row"``: known at each row's own time, as serving saw it;
                ``"row+5m"``: five minutes later.
            columns: Columns of the spine that are called otherwise: ``{"user": "customer_id"}``.
            vector: Also a column ``vector``: the service's vector, nulls as their defaults.
            statuses: Also a column ``<feature>__status`` for each feature: why a value is null.
            full_names: Features are called ``<view>__<feature>``.
            time_unit: What times count from 1970 on where they are numbers.
            timezone: Of times without one, as ``"UTC"`` or ``"Europe/Berlin"``; without it they are refused.
            progress: A bar, where tqdm is installed.
            return_card: Also the card, a dict: what the training set was made of, and how often each feature was null.

        Returns:
            The spine's columns as they are, and behind them the features. In pandas, integers of features are
            ``Int64`` and bools ``boolean``, so that a null makes them no floats; times are UTC; the index is the
            spine's. A ``decimal(n)`` is float64 in pandas and polars and a decimal in Arrow.

        Raises:
            BadUserInput: For a spine that cannot be used, saying row and column.
            TrainingSetFailed: The job failed; ``code`` says why.
        """
        with tempfile.TemporaryDirectory(prefix="featuregraph-") as folder:
            opened = self._open_spine(spine, service, columns or {}, timezone)
            job = self._start(
                opened,
                spine,
                Path(folder),
                service=service,
                features=features,
                known_at=known_at,
                columns=columns,
                vector=vector,
                statuses=statuses,
                full_names=full_names,
                time_unit=time_unit,
                timezone=timezone,
            )
            try:
                job.wait(progress=progress)
            except KeyboardInterrupt:
                with suppress(FeatureGraphError):
                    job.cancel()
                raise
            table = job.read(folder)
            result = table if opened is None else opened.with_columns(made_columns(opened.table, table))
            return (result, job.card()) if return_card else result

    def start_training_set(
        self,
        spine: pd.DataFrame | pl.DataFrame | pa.Table | str | os.PathLike[str],
        **options: Unpack[TrainingSetOptions],
    ) -> TrainingSetJob:
        """As ``training_set``, up to the job: ``job.wait().download("train")`` has its Parquet files in a folder.

        The spine has been uploaded and validated when this returns.
        """
        with tempfile.TemporaryDirectory(prefix="featuregraph-") as folder:
            opened = self._open_spine(
                spine, options.get("service"), options.get("columns") or {}, options.get("timezone")
            )
            return self._start(opened, spine, Path(folder), **options)

    def training_set_job(self, job_id: str) -> TrainingSetJob:
        """A job that was started before, by its ``id``.

        Raises:
            NotFound: There is none, or not for this API key.
        """
        return TrainingSetJob.find(self._transport, job_id)

    def _start(
        self, opened: OpenedFrame | None, spine: Any, folder: Path, **options: Unpack[TrainingSetOptions]
    ) -> TrainingSetJob:
        service, features = options.get("service"), options.get("features")
        if (service is None) == (features is None):
            raise BadUserInput("a training set is of service=… or of features=[…]; pass one of them")
        if isinstance(features, str):
            raise BadUserInput(f"features is a list, as features=[{features!r}]")
        known_at = options.get("known_at")
        if opened is None:
            path = Path(spine)
        else:
            path = folder / "spine.parquet"
            write_spine(opened.table, path)
        request: dict[str, Any] = {
            "service": service,
            "features": None if features is None else list(features),
            "knownAt": timestamp_text(known_at) if isinstance(known_at, datetime) else known_at,
            "columns": [{"column": column, "is": name} for column, name in (options.get("columns") or {}).items()],
            "vector": options.get("vector", False),
            "statuses": options.get("statuses", False),
            "fullNames": options.get("full_names", False),
            "timeUnit": options.get("time_unit"),
            "timezone": options.get("timezone"),
            "idempotencyKey": str(uuid.uuid4()),
        }
        stored = upload_spine(self._transport, path)
        given = {name: value for name, value in request.items() if value is not None}
        return TrainingSetJob.create(self._transport, {"spineId": stored.id, **given})

    def _open_spine(
        self, spine: Any, service: str | None, columns: Mapping[str, str], timezone: str | None
    ) -> OpenedFrame | None:
        """None for a path, whose file is uploaded as it is."""
        if isinstance(spine, (str, os.PathLike)):
            check_spine(spine_schema(Path(spine)), columns, timezone)
            return None
        opened = open_frame(spine, {"event_timestamp", *columns, *self._catalogue().inputs_of(service)})
        check_spine(opened.table.schema, columns, timezone)
        return opened

    def _open(self, rows: Any, service: Service) -> OpenedFrame:
        known = [taken.name for taken in service.inputs]
        if isinstance(rows, (list, tuple)):
            return open_rows(cast("Rows", rows), known)
        return open_frame(rows, known)

    def _catalogue(self) -> Catalogue:
        if self._known is None:
            self._known = read_catalogue(self._transport)
        return self._known

    def _with_service(self, name: str, read: Callable[[Service], T]) -> T:
        """By the catalogue that is known, and once more by a newer one where the definitions have changed since."""
        known = self._known
        if known is not None and name in known.services:
            with suppress(InvalidQuery):
                return read(known.service(name))
        self._known = read_catalogue(self._transport)
        return read(self._known.service(name))
