"""Materializes one row per customer from a Parquet file to Redis by Feast's own materialize, in one process.

Arguments: the Parquet file, a folder of its own, the port of an empty Redis, ids to read back (joined by commas).
The last line of what it prints is JSON: Feast's version, the seconds of materialize alone (start-up, imports and apply
left out), and the five features of each id as Feast then serves them.
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone

os.environ["FEAST_USAGE"] = "False"

import feast
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64

parquet, folder, port, ids = sys.argv[1:]
sample = [int(one) for one in ids.split(",")]
features = {
    "total_transactions_30d": Float64,
    "avg_transaction_amount_30d": Float64,
    "max_transaction_amount_30d": Float64,
    "transaction_count_7d": Int64,
    "unique_merchants_30d": Int64,
}

store = FeatureStore(
    config=RepoConfig(
        project="bench_ingest",
        provider="local",
        registry=os.path.join(folder, "registry.db"),
        online_store={"type": "redis", "connection_string": f"127.0.0.1:{port}"},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    ),
    repo_path=None,
)
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
view = FeatureView(
    name="customer_transaction_features",
    entities=[customer],
    ttl=timedelta(days=36_500),
    schema=[
        Field(name="customer_id", dtype=Int64),
        *(Field(name=name, dtype=dtype) for name, dtype in features.items()),
    ],
    source=FileSource(
        path=parquet, timestamp_field="event_timestamp", created_timestamp_column="created_timestamp"
    ),
    online=True,
)
store.apply([customer, view])

started = time.perf_counter()
store.materialize(datetime(2020, 1, 1, tzinfo=timezone.utc), datetime.now(timezone.utc), [view.name])
seconds = time.perf_counter() - started

served = store.get_online_features(
    features=[f"{view.name}:{name}" for name in features],
    entity_rows=[{"customer_id": one} for one in sample],
).to_dict()
rows = {one: [served[name][place] for name in features] for place, one in enumerate(sample)}
print()
print(json.dumps({"version": feast.__version__, "seconds": seconds, "rows": rows}))
