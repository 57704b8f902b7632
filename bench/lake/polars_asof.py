"""The same join by polars, ties by their order; prints the seconds."""

import sys
import time

import polars as pl

folder, out = sys.argv[1:]
started = time.monotonic()
spine = pl.read_parquet(f"{folder}/spine.parquet").with_row_index("place").sort("event_timestamp")
for table, seconds in (("daily", 7_776_000), ("momentary", 3_600)):
    rows = pl.read_parquet(f"{folder}/{table}.parquet").sort(
        "event_timestamp", "created_timestamp", "row_id", nulls_last=False
    )
    values = [name for name in rows.columns if name not in ("customer_id", "event_timestamp", "created_timestamp", "row_id")]
    rows = rows.select("customer_id", "event_timestamp", *values)
    spine = spine.join_asof(
        rows, on="event_timestamp", by="customer_id", strategy="backward", tolerance=f"{seconds}s", check_sortedness=False
    )
spine.with_columns(pl.col("place").cast(pl.Int64)).sort("place").write_parquet(out, compression="zstd")
print(time.monotonic() - started)
