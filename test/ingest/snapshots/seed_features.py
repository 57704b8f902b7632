"""The batch features of the fraud example as a data scientist writes them with pandas.

Reads transactions (CSV: customer_id, amount, merchant_id, timestamp) and snapshot times from the command line and
prints the features of each, one JSON object a line.
"""

import json
import sys
from datetime import timedelta

import pandas as pd


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


def main(path, snapshots):
    builder = CustomerFeatureBuilder(pd.read_csv(path))
    for snapshot in snapshots:
        features = builder.build_features(pd.Timestamp(snapshot))
        columns = [
            "customer_id",
            "total_transactions_30d",
            "avg_transaction_amount_30d",
            "max_transaction_amount_30d",
            "transaction_count_7d",
            "unique_merchants_30d",
        ]
        for values in features[columns].itertuples(index=False):
            row = [None if pd.isna(value) else float(value) for value in values]
            print(json.dumps([snapshot, *row]))


main(sys.argv[1], sys.argv[2:])
