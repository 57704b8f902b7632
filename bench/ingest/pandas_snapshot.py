"""One snapshot of the five features by the seed's own pandas code.

Arguments: a folder to import pyarrow from, the Parquet file, the snapshot's time, ids to print (joined by commas).
Prints JSON: the versions, the seconds of reading and computing (imports left out), the number of rows, and the features
of each id that has some. Only the columns that the code needs are read.
"""

import json
import sys
import time
from datetime import timedelta

folder, parquet, snapshot, ids = sys.argv[1:]
sys.path.append(folder)

import pandas as pd
import pyarrow
import pyarrow.parquet  # pandas would import it while it is timed


class CustomerFeatureBuilder:
    def __init__(self, transactions_df):
        self.transactions = transactions_df
        self.transactions["timestamp"] = pd.to_datetime(self.transactions["timestamp"])

    def build_features(self, as_of_date):
        valid_transactions = self.transactions[self.transactions["timestamp"] <= as_of_date]
        features_30d = self._calculate_window_features(valid_transactions, as_of_date, days=30)
        features_7d = self._calculate_window_features(valid_transactions, as_of_date, days=7)
        return features_30d.merge(features_7d, on="customer_id", how="outer", suffixes=("_30d", "_7d"))

    def _calculate_window_features(self, df, as_of_date, days):
        window_start = as_of_date - timedelta(days=days)
        window_df = df[(df["timestamp"] > window_start) & (df["timestamp"] <= as_of_date)]
        features = (
            window_df.groupby("customer_id")
            .agg({"amount": ["sum", "mean", "max", "count"], "merchant_id": "nunique"})
            .reset_index()
        )
        features.columns = [
            "customer_id",
            "total_transactions",
            "avg_transaction_amount",
            "max_transaction_amount",
            "transaction_count",
            "unique_merchants",
        ]
        return features


started = time.perf_counter()
transactions = pd.read_parquet(parquet, columns=["customer_id", "amount", "merchant_id", "timestamp"])
features = CustomerFeatureBuilder(transactions).build_features(pd.Timestamp(snapshot))
seconds = time.perf_counter() - started

names = [
    "total_transactions_30d",
    "avg_transaction_amount_30d",
    "max_transaction_amount_30d",
    "transaction_count_7d",
    "unique_merchants_30d",
]
found = features[features["customer_id"].isin([int(one) for one in ids.split(",")])]
rows = {
    int(row["customer_id"]): [None if pd.isna(row[name]) else float(row[name]) for name in names]
    for _, row in found.iterrows()
}
print(
    json.dumps(
        {
            "version": f"pandas {pd.__version__}, pyarrow {pyarrow.__version__}",
            "seconds": seconds,
            "count": len(features),
            "rows": rows,
        }
    )
)
