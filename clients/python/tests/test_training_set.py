"""Training sets from frames of three libraries, made by a real gateway."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuregraph import BadUserInput, FeatureGraph, FeatureGraphError, Forbidden

from .conftest import Gateway

SERVICE = "fraud_detection_v1"
NOW = pd.Timestamp.now("UTC")
HOUR = pd.Timedelta(hours=1)


def labels() -> pd.DataFrame:
    """Of the moment, of before the first row, of nobody, and the first once more."""
    frame = pd.DataFrame(
        {
            "customer_id": [1001, 1001, 7, 1001],
            "event_timestamp": [NOW, NOW - 26 * HOUR, NOW, NOW],
            "transaction_amount": [25.5, 1.0, 2.0, 25.5],
            "is_fraud": [True, False, False, True],
            "channel": pd.Categorical(["web", "till", "web", "web"], categories=["till", "web", "phone"]),
            "seen": pd.Series([1, None, 3, 1], dtype="Int32"),
            "booked": pd.Series([NOW] * 4).dt.tz_convert("Europe/Zurich"),
            "signed_up": pd.Timestamp("2026-01-02 03:04:05"),
            # As an index that was once written to a CSV file is called; the gateway leaves it out.
            "Unnamed: 0": range(4),
        }
    )
    frame.index = pd.Index(["a", "b", "c", "a"], name="row")
    return frame


def test_a_pandas_frame_keeps_what_it_was_and_gains_nullable_features(fg: FeatureGraph) -> None:
    spine = labels()
    frame, card = fg.training_set(spine, service=SERVICE, vector=True, statuses=True, return_card=True, progress=False)
    pd.testing.assert_frame_equal(frame[list(spine.columns)], spine)
    assert frame["transaction_count_7d"].dtype == pd.Int64Dtype()
    assert frame["transaction_count_7d"].tolist() == [6, pd.NA, pd.NA, 6]
    assert frame["amount_last_hour"].dtype == np.float64
    assert frame["transaction_count_7d__status"].tolist() == ["PRESENT", "NOT_FOUND", "NOT_FOUND", "PRESENT"]
    vectors = np.stack(frame["vector"])
    assert vectors.tolist()[0] == [1234.5, 12.5, 99, 6, 2, 31.75, 25.5]
    assert vectors.tolist()[1] == [0, 0, 0, 0, 0, 0, 1]
    assert np.array_equal(vectors[:1], fg.vectors(SERVICE, spine.head(1)))
    assert card["service"] == SERVICE
    assert card["spine"]["rows"] == 4


def test_a_polars_frame_comes_back_as_one(fg: FeatureGraph) -> None:
    spine = pl.DataFrame(
        {
            "customer_id": [1001, 7],
            "event_timestamp": [NOW.to_pydatetime()] * 2,
            "transaction_amount": [1.0, 2.0],
            "channel": pl.Series(["web", "till"], dtype=pl.Enum(["till", "web"])),
        },
        schema_overrides={"customer_id": pl.UInt32},
    )
    frame = fg.training_set(spine, service=SERVICE, progress=False)
    assert frame.select(spine.columns).equals(spine)
    assert frame.select(spine.columns).schema == spine.schema
    assert frame["transactions_last_hour"].to_list() == [2, None]
    assert frame.schema["transactions_last_hour"] == pl.Int64


def test_features_of_any_views_and_types_come_with_their_types(fg: FeatureGraph) -> None:
    spine = pa.table(
        {
            "user": pa.array([1001, 7], pa.int32()),
            "at": pa.array([NOW.to_pydatetime()] * 2, pa.timestamp("us", "UTC")),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    table = fg.training_set(
        spine,
        features=["customer_profile", "customer_segment:segment", "customer_orders:shipped_at"],
        columns={"user": "customer_id", "at": "event_timestamp"},
        full_names=True,
        progress=False,
    )
    assert table.select(spine.column_names).cast(spine.schema).equals(spine)
    made = {field.name: field.type for field in table.schema if field.name not in spine.column_names}
    assert made == {
        "customer_profile__lifetime_events": pa.int64(),
        "customer_profile__is_verified": pa.bool_(),
        "customer_profile__score": pa.float64(),
        "customer_segment__segment": pa.string(),
        "customer_orders__shipped_at": pa.timestamp("us", "UTC"),
    }
    assert table.column("customer_profile__is_verified").to_pylist() == [True, None]
    assert table.column("customer_segment__segment").to_pylist() == ["gold", None]


def test_times_without_a_zone_are_refused_unless_one_is_named(fg: FeatureGraph) -> None:
    spine = labels()[["customer_id", "transaction_amount", "event_timestamp"]].head(2)
    local = spine.assign(event_timestamp=spine["event_timestamp"].dt.tz_convert("Asia/Tokyo").dt.tz_localize(None))
    with pytest.raises(BadUserInput, match=r'"event_timestamp" have no time zone; pass timezone="UTC"'):
        fg.training_set(local, service=SERVICE)
    frame = fg.training_set(local, service=SERVICE, timezone="Asia/Tokyo", progress=False)
    assert frame["transaction_count_7d"].tolist() == [6, pd.NA]
    pd.testing.assert_frame_equal(frame[list(local.columns)], local)


def test_only_what_was_known_then(fg: FeatureGraph) -> None:
    spine = labels()[["customer_id", "transaction_amount", "event_timestamp"]].head(1)
    for known_at, count in (("row", 6), (NOW - 30 * HOUR, pd.NA)):
        frame = fg.training_set(spine, service=SERVICE, known_at=known_at, progress=False)
        assert frame["transaction_count_7d"].tolist() == [count]
    with pytest.raises(BadUserInput, match="no time zone"):
        fg.training_set(spine, service=SERVICE, known_at=datetime(2026, 1, 1))


def test_a_file_goes_up_as_it_is_and_the_set_into_a_folder(fg: FeatureGraph, tmp_path: Path) -> None:
    spine = labels()[["customer_id", "transaction_amount", "event_timestamp"]]
    path = tmp_path / "labels.parquet"
    spine.to_parquet(path)
    table = fg.training_set(path, service=SERVICE, progress=False)
    assert table.column("transaction_count_7d").to_pylist() == [6, None, None, 6]
    started = fg.start_training_set(path, service=SERVICE)
    files = fg.training_set_job(started.id).wait(progress=False).download(tmp_path / "train")
    assert [file.name for file in files] == ["part-00000.parquet"]
    assert pq.read_table(files[0]).equals(table)
    assert (tmp_path / "train" / "card.json").is_file()
    started.delete()
    with pytest.raises(FeatureGraphError):
        started.refresh()
    with pytest.raises(BadUserInput, match="no such file"):
        fg.training_set(tmp_path / "nothing.parquet", service=SERVICE)
    path.write_bytes(b"PAR1")
    with pytest.raises(BadUserInput, match="expected a Parquet file"):
        fg.training_set(path, service=SERVICE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="customer_id"), 'no column "customer_id"'),
        (lambda frame: frame.rename(columns={"event_timestamp": "at"}), r'columns=\{"at": "event_timestamp"\}'),
        (lambda frame: frame.assign(transaction_count_7d=1), "transaction_count_7d"),
        (lambda frame: frame.assign(customer_id="x"), "customer_id"),
        (lambda frame: frame.set_index("customer_id"), r"reset_index\(\)"),
        (lambda frame: frame.rename(columns={"is_fraud": 5}), "columns need names, got 5"),
        (lambda frame: frame.assign(is_fraud=[1, "a", 2.5, None]), "is_fraud.*values of one type"),
    ],
)
def test_a_spine_that_does_not_fit_is_refused(fg: FeatureGraph, change: object, message: str) -> None:
    with pytest.raises(FeatureGraphError, match=message) as refused:
        fg.training_set(change(labels()), service=SERVICE, progress=False)  # type: ignore[operator]
    assert refused.value.code == "BAD_USER_INPUT"


def test_a_mapped_column_has_to_be_there(fg: FeatureGraph) -> None:
    with pytest.raises(BadUserInput, match=r'names "kustomer_id", .* did you mean "customer_id"'):
        fg.training_set(labels(), service=SERVICE, columns={"kustomer_id": "customer_id"})


def test_an_unknown_service_is_refused_by_name(fg: FeatureGraph) -> None:
    with pytest.raises(BadUserInput, match="fraud_detection_v2"):
        fg.training_set(labels(), service="fraud_detection_v2")


def test_a_key_needs_the_right_to_train(gateway: Gateway) -> None:
    with FeatureGraph(gateway.url, gateway.read_key) as reader, pytest.raises(Forbidden):
        reader.training_set(labels(), service=SERVICE)


def test_an_empty_spine_has_an_empty_training_set(fg: FeatureGraph) -> None:
    frame = fg.training_set(labels().head(0), service=SERVICE, progress=False)
    assert len(frame) == 0
    assert "transaction_count_7d" in frame.columns


def test_a_bar_shows_how_far_it_is(fg: FeatureGraph, capfd: pytest.CaptureFixture[str]) -> None:
    spine = pa.table(
        {
            "customer_id": [1001],
            "transaction_amount": [1.0],
            "event_timestamp": pa.array([datetime.now(timezone.utc) - timedelta(hours=1)]),
        }
    )
    fg.training_set(spine, service=SERVICE)
    shown = capfd.readouterr()
    assert "training set succeeded: 100%" in shown.err
    assert shown.out == ""
