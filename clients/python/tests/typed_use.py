"""What type checkers see of the client: mypy reads this file, nothing runs it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pyarrow as pa
from typing_extensions import assert_type

from featuregraph import FeatureGraph


def frames_keep_their_kind(fg: FeatureGraph, pandas: pd.DataFrame, polars: pl.DataFrame, arrow: pa.Table) -> None:
    assert_type(fg.training_set(pandas, service="s"), pd.DataFrame)
    assert_type(fg.training_set(polars, features=["v:f"], known_at="row"), pl.DataFrame)
    assert_type(fg.training_set(arrow, service="s", return_card=True), tuple[pa.Table, dict[str, Any]])
    assert_type(fg.training_set(Path("labels.parquet"), service="s"), pa.Table)
    assert_type(fg.online("s", polars, statuses=True), pl.DataFrame)
    assert_type(fg.online("s", [{"k": 1}]), pd.DataFrame)
    assert_type(fg.vectors("s", pandas), npt.NDArray[np.float64])
    fg.training_set(7, service="s")  # type: ignore[call-overload]
    fg.training_set(pandas, service="s", knownat="row")  # type: ignore[call-overload]
