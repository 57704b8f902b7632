"""Makes a training set by Feast's Postgres offline store, in one process.

Arguments: host, port and database of Postgres, the spine as Parquet, a folder of its own, the file to write.
The last line of what it prints is JSON: Feast's version, the seconds from the spine's file to the finished Parquet file
(start-up, imports and apply left out) and the rows.
"""

import json
import os
import sys
import time
from datetime import timedelta

os.environ["FEAST_USAGE"] = "False"

import feast
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, ValueType
from feast.infra.offline_stores.contrib.postgres_offline_store.postgres_source import PostgreSQLSource
from feast.types import Float64, Int64

host, port, database, spine, folder, out = sys.argv[1:]
views = {
    "customer_transaction_features": (timedelta(days=90), {"f1": Float64, "f2": Float64, "f3": Float64, "i1": Int64, "i2": Int64}),
    "customer_realtime_features": (timedelta(hours=1), {"g1": Float64, "g2": Float64, "n1": Int64}),
}
store = FeatureStore(
    config=RepoConfig(
        project="bench_historical",
        provider="local",
        registry=os.path.join(folder, "registry.db"),
        offline_store={"type": "postgres", "host": host, "port": int(port), "database": database, "db_schema": "public", "user": "postgres", "password": "-", "sslmode": "disable"},
        online_store={"type": "sqlite", "path": os.path.join(folder, "online.db")},
        entity_key_serialization_version=3,
    ),
    repo_path=None,
)
customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
store.apply(
    [customer]
    + [
        FeatureView(
            name=name,
            entities=[customer],
            ttl=ttl,
            schema=[Field(name="customer_id", dtype=Int64), *(Field(name=one, dtype=dtype) for one, dtype in features.items())],
            source=PostgreSQLSource(
                name=f"{name}_source",
                query=f"select * from features.{name}",
                timestamp_field="event_timestamp",
                created_timestamp_column="created_timestamp",
            ),
            online=False,
        )
        for name, (ttl, features) in views.items()
    ]
)

started = time.perf_counter()
entities = pd.read_parquet(spine)
entities["place"] = range(len(entities))
frame = store.get_historical_features(
    entity_df=entities,
    features=[f"{name}:{one}" for name, (_, features) in views.items() for one in features],
).to_df()
frame.to_parquet(out)
seconds = time.perf_counter() - started
print()
print(json.dumps({"version": feast.__version__, "seconds": seconds, "rows": len(frame)}))
