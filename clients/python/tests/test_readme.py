"""README.md runs as it stands, and its prediction has the vector that the model was fitted to."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from .conftest import Gateway

README = Path(__file__).parent.parent / "README.md"
ROOT = README.parent.parent.parent
CLIENTS = ROOT / "docs" / "clients.md"


def test_the_way_from_labels_to_a_prediction(gateway: Gateway) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    address = f'"{gateway.url}", "{gateway.key}"'
    code = "".join(blocks).replace('"http://localhost:4000"', address)
    assert address in code
    names: dict[str, object] = {}
    exec(compile(code, str(README), "exec"), names)
    assert 0 < names["probability"] < 1
    fg, labels, train, vector = (names[name] for name in ("fg", "labels", "train", "vector"))
    pd.testing.assert_frame_equal(train[list(labels.columns)], labels)
    spine = pd.DataFrame([names["transaction"]]).assign(event_timestamp=pd.Timestamp.now("UTC"))
    same = fg.training_set(spine, service="fraud_detection_v1", vector=True, progress=False)
    assert np.array_equal(np.stack(same["vector"]), vector)
    assert vector.tolist() == [[1234.5, 12.5, 99, 6, 2, 31.75, 25.5]]
    fg.close()


def test_the_lines_in_the_docs(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(# train\.py\n.*?)```", CLIENTS.read_text("utf-8"), re.DOTALL)
    spine = {"customer_id": [1001, 7], "event_timestamp": pd.Timestamp.now("UTC"), "transaction_amount": 25.5}
    pd.DataFrame(spine).to_parquet(tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATUREGRAPH_API_KEY", gateway.key)
    names: dict[str, object] = {}
    exec(compile(code.replace("http://localhost:4000", gateway.url), str(CLIENTS), "exec"), names)
    names["fg"].close()
    trained, online = re.findall(r"\[[^\[\]]+\]", capsys.readouterr().out)
    assert trained == online


def test_the_lines_of_the_projects_readme(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frame has the right types, and so have the job's files in pandas and polars."""
    [code] = re.findall(r"```python\n(import pandas.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    times = pd.to_datetime([pd.Timestamp.now("UTC"), pd.Timestamp.now("UTC"), None], utc=True)
    spine = {"customer_id": [1001, 7, 1001], "event_timestamp": times, "transaction_amount": 25.5, "is_fraud": True}
    pd.DataFrame(spine).to_parquet(tmp_path / "labels.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATUREGRAPH_API_KEY", gateway.key)
    names: dict[str, object] = {}
    exec(compile(code.replace("http://localhost:4000", gateway.url), "README.md", "exec"), names)
    fg, train = names["fg"], names["train"]
    assert train["customer_id"].tolist() == [1001, 7, 1001]
    assert str(train.dtypes["transaction_count_7d"]) == "Int64"
    assert train["transaction_count_7d"].isna().tolist() == [False, True, True]

    job = fg.start_training_set("labels.parquet", service="fraud_detection_v1", vector=True)
    [part] = job.wait(progress=False).download(tmp_path / "parts")
    fg.close()
    opened = pd.read_parquet(part)
    assert opened["total_transactions_30d"].tolist()[0] == 1234.5
    assert opened["is_fraud"].dtype == bool
    assert str(opened["event_timestamp"].dtype).endswith("UTC]")
    frame = pl.read_parquet(part)
    assert frame.schema["transaction_count_7d"] == pl.Int64
    assert frame.schema["event_timestamp"] == pl.Datetime("us", "UTC")
    assert frame.schema["vector"] == pl.List(pl.Float64)
    assert frame["transaction_count_7d"].to_list() == [6, None, None]
