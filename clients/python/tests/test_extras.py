"""What works without the optional packages, and what is said where one is needed."""

from __future__ import annotations

import sys
from importlib.resources import files

import pyarrow as pa
import pytest

import featuregraph
from featuregraph import FeatureGraph

ROW = {"customer_id": 1001, "transaction_amount": 1.0}


def test_pandas_is_asked_for_where_dicts_come(fg: FeatureGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'featuregraph\[pandas\]'"):
        fg.online("fraud_detection_v1", [ROW])
    table = fg.online("fraud_detection_v1", pa.Table.from_pylist([ROW]))
    assert table.column("transaction_count_7d").to_pylist() == [6]


def test_numpy_is_asked_for_where_it_comes_back(fg: FeatureGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ModuleNotFoundError, match="pip install numpy"):
        fg.vectors("fraud_detection_v1", [ROW])


def test_no_bar_is_shown_without_tqdm(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    from featuregraph.progress import ProgressBar

    with ProgressBar(True) as bar:
        bar.show(0.5, "RUNNING")
    assert capfd.readouterr() == ("", "")


def test_what_is_installed_has_its_types_and_its_version() -> None:
    assert files("featuregraph").joinpath("py.typed").is_file()
    assert featuregraph.__version__ == "0.1.0"
