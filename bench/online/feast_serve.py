"""Feast's own Python server over the rows of the bench, one worker.

Arguments: a folder of its own with rows of each view as CSV files, and the port of the Redis. It listens at PORT. The app is
Feast's, run by uvicorn without gunicorn before it, which would end the worker every thousand requests.
"""

import os
import sys
from datetime import timedelta

os.environ["FEAST_USAGE"] = "False"

import pandas
import uvicorn
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.feature_server import get_app
from feast.types import Float64, Int64

folder, redis = sys.argv[1:]
views = {
    "customer_transaction_features": {
        "total_transactions_30d": Float64,
        "avg_transaction_amount_30d": Float64,
        "max_transaction_amount_30d": Float64,
        "transaction_count_7d": Int64,
        "unique_merchants_30d": Int64,
    },
    "customer_realtime_features": {
        "transactions_last_hour": Int64,
        "amount_last_hour": Float64,
        "failed_transactions_last_hour": Int64,
    },
}

store = FeatureStore(
    config=RepoConfig(
        project="bench_online",
        provider="local",
        registry=os.path.join(folder, "registry.db"),
        online_store={"type": "redis", "connection_string": f"127.0.0.1:{redis}"},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    ),
    repo_path=None,
)
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
defined = [
    FeatureView(
        name=name,
        entities=[customer],
        ttl=timedelta(days=90),
        schema=[
            Field(name="customer_id", dtype=Int64),
            *(Field(name=feature, dtype=dtype) for feature, dtype in features.items()),
        ],
        source=FileSource(path=os.path.join(folder, f"{name}.parquet"), timestamp_field="event_timestamp"),
        online=True,
    )
    for name, features in views.items()
]
for name, features in views.items():
    # Nulls among integers: pandas' own type for those keeps them.
    types = {feature: "Int64" if dtype == Int64 else "float64" for feature, dtype in features.items()}
    rows = pandas.read_csv(
        os.path.join(folder, f"{name}.csv"), dtype={"customer_id": "int64", **types}, float_precision="round_trip"
    )
    rows["event_timestamp"] = pandas.to_datetime(rows["event_timestamp"], unit="us", utc=True)
    rows.to_parquet(os.path.join(folder, f"{name}.parquet"))
store.apply([customer, *defined])
for name in views:
    store.write_to_online_store(name, pandas.read_parquet(os.path.join(folder, f"{name}.parquet")))
uvicorn.run(get_app(store, 3_600), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=False, log_level="warning")
