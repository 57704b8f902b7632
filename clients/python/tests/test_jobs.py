"""What breaks on the way from a spine to its files, by a server that breaks it."""

from __future__ import annotations

import hashlib
import io
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuregraph import BadAnswer, BadUserInput, FeatureGraph, NotFound, TrainingSetFailed, Unreachable
from featuregraph.training_set import TrainingSetJob

from .conftest import Reply, Scripted, answer, error, hang_up

CATALOGUE = answer({"data": {"entities": [], "featureServices": []}})
UPLOADED = answer({"id": "s-1", "rows": 3, "columns": ["k"], "sha256": "…"}, 201)
TABLE = pa.table({"k": [1, 2, 3], "event_timestamp": pa.array([0, 1, 2], pa.timestamp("us", "UTC"))})


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


MADE = parquet(TABLE.append_column("f", pa.array([1, None, 3], pa.int64())))


def shown(state: str, **more: Any) -> dict[str, Any]:
    whole = {"progress": 0.5, "rows": 3, "error": None, "errorCode": None, "cardUrl": None, "parts": []}
    return {"id": "t-1", "state": state, **whole, **more}


def job(state: str, **more: Any) -> Reply:
    return answer({"data": {"trainingSet": shown(state, **more)}})


def succeeded(digest: str = hashlib.sha256(MADE).hexdigest()) -> dict[str, Any]:
    part = {"url": "/training-sets/t-1/part-00000.parquet", "rows": 3, "bytes": len(MADE), "sha256": digest}
    return shown("SUCCEEDED", progress=1, cardUrl="/training-sets/t-1/card.json", parts=[part])


SUCCEEDED = answer({"data": {"trainingSet": succeeded()}})


def test_a_spine_goes_up_and_its_rows_come_back_with_their_features(scripted: Scripted) -> None:
    scripted.replies = [
        *(CATALOGUE, UPLOADED, job("QUEUED"), job("RUNNING")),
        *(SUCCEEDED, answer(MADE), answer({"service": "s_v1"}), answer({"service": "s_v1"})),
    ]
    with FeatureGraph(scripted.url, "k-1") as fg:
        table, card = fg.training_set(TABLE, service="s_v1", vector=True, columns={"k": "id"}, return_card=True)
    assert table.column("f").to_pylist() == [1, None, 3]
    assert card == {"service": "s_v1"}
    method, path, headers, body = scripted.requests[1]
    assert (method, path) == ("POST", "/spines?format=parquet")
    assert headers["content-length"] == str(len(body))
    assert pq.read_table(io.BytesIO(body)).equals(TABLE)
    sent = scripted.bodies_of("/graphql")[1]["variables"]["input"]
    assert sent.pop("idempotencyKey")
    assert sent == {
        **{"spineId": "s-1", "service": "s_v1", "columns": [{"column": "k", "is": "id"}]},
        **{"vector": True, "statuses": False, "fullNames": False},
    }
    assert all(headers["authorization"] == "Bearer k-1" for _, _, headers, _ in scripted.requests)


def test_an_upload_that_breaks_is_not_sent_again_and_one_that_was_refused_for_load_is(scripted: Scripted) -> None:
    scripted.replies = [CATALOGUE, hang_up]
    with FeatureGraph(scripted.url) as fg, pytest.raises(Unreachable):
        fg.start_training_set(TABLE, service="s_v1")
    assert len(scripted.requests) == 2
    scripted.requests.clear()
    scripted.replies = [CATALOGUE, error("OVERLOADED", 503, retry_after="0"), UPLOADED, job("QUEUED")]
    with FeatureGraph(scripted.url) as fg:
        assert fg.start_training_set(TABLE, service="s_v1").id == "t-1"


def test_a_creation_that_breaks_is_sent_again_under_the_same_key(scripted: Scripted) -> None:
    scripted.replies = [CATALOGUE, UPLOADED, hang_up, job("QUEUED")]
    with FeatureGraph(scripted.url) as fg:
        fg.start_training_set(TABLE, features=["v:f"])
    first, second = (body["variables"]["input"]["idempotencyKey"] for body in scripted.bodies_of("/graphql")[1:])
    assert first == second


def test_a_wait_outlasts_a_gateway_that_is_away(scripted: Scripted) -> None:
    scripted.replies = [job("RUNNING"), *[hang_up] * 4, job("RUNNING"), SUCCEEDED]
    with FeatureGraph(scripted.url, retries=0) as fg:
        assert fg.training_set_job("t-1").wait(progress=False).state == "SUCCEEDED"


def test_a_job_that_failed_raises_its_code_and_words(scripted: Scripted) -> None:
    scripted.replies = [job("RUNNING"), job("FAILED", error="the disk is full", errorCode="STORAGE_FULL")]
    with FeatureGraph(scripted.url) as fg:
        failing = fg.training_set_job("t-1")
        with pytest.raises(BadUserInput, match=r"is RUNNING; job\.wait\(\)"):
            failing.download("nowhere")
        with pytest.raises(TrainingSetFailed, match="t-1 failed: the disk is full") as failed:
            failing.wait(progress=False)
    assert failed.value.code == "STORAGE_FULL"
    scripted.replies = [answer({"data": {"trainingSet": None}})]
    with FeatureGraph(scripted.url) as fg, pytest.raises(NotFound, match="no training set t-2"):
        fg.training_set_job("t-2")


def test_an_interrupted_call_cancels_its_job(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: TrainingSetJob, *, progress: bool) -> TrainingSetJob:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingSetJob, "wait", interrupted)
    scripted.replies = [CATALOGUE, UPLOADED, job("RUNNING"), job("CANCELLED")]
    with FeatureGraph(scripted.url) as fg, pytest.raises(KeyboardInterrupt):
        fg.training_set(TABLE, service="s_v1")
    assert "cancelTrainingSet" in scripted.bodies_of("/graphql")[-1]["query"]


def test_a_download_that_breaks_goes_on_where_it_broke(scripted: Scripted, tmp_path: Path) -> None:
    half = len(MADE) // 2

    def broken(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", str(len(MADE)))
        handler.end_headers()
        handler.wfile.write(MADE[:half])
        handler.close_connection = True

    scripted.replies = [SUCCEEDED, broken, answer(MADE[half:], 206), answer({"service": "s_v1"})]
    with FeatureGraph(scripted.url) as fg:
        files = fg.training_set_job("t-1").download(tmp_path / "train")
    assert [file.read_bytes() for file in files] == [MADE]
    assert scripted.requests[2][2]["range"] == f"bytes={half}-"
    assert sorted(path.name for path in (tmp_path / "train").iterdir()) == ["card.json", "part-00000.parquet"]


def test_other_bytes_than_the_gateway_has_get_no_name(scripted: Scripted, tmp_path: Path) -> None:
    scripted.replies = [SUCCEEDED, answer(MADE[:-1] + b"?")]
    with FeatureGraph(scripted.url) as fg, pytest.raises(BadAnswer, match="other bytes"):
        fg.training_set_job("t-1").download(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_part_elsewhere_is_fetched_from_the_gateway_that_was_named(scripted: Scripted, tmp_path: Path) -> None:
    elsewhere = succeeded()
    elsewhere["parts"][0]["url"] = "https://elsewhere.example/training-sets/t-1/..%2Fpart-00000.parquet"
    scripted.replies = [answer({"data": {"trainingSet": elsewhere}}), answer(MADE), answer({})]
    with FeatureGraph(scripted.url, "k-1") as fg:
        [file] = fg.training_set_job("t-1").download(tmp_path)
    assert file.parent == tmp_path
    assert scripted.requests[1][2]["authorization"] == "Bearer k-1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "pass one of them"),
        ({"service": "a", "features": ["b:c"]}, "pass one of them"),
        ({"features": "b:c"}, r"features=\['b:c'\]"),
    ],
)
def test_what_a_training_set_is_of_is_asked_for_once(scripted: Scripted, options: dict[str, Any], message: str) -> None:
    scripted.replies = [CATALOGUE]
    with FeatureGraph(scripted.url) as fg, pytest.raises(BadUserInput, match=message):
        fg.training_set(TABLE, **options)
    assert len(scripted.requests) == 1
