"""Online values and vectors, from a real gateway that takes 40 keys a request."""

from __future__ import annotations

import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from featuregraph import BadUserInput, FeatureGraph, Unavailable

from .conftest import Scripted, answer

SERVICE = "fraud_detection_v1"
FEATURES = [
    "total_transactions_30d",
    "avg_transaction_amount_30d",
    "max_transaction_amount_30d",
    "transaction_count_7d",
    "transactions_last_hour",
    "amount_last_hour",
]
KNOWN = [1234.5, 12.5, 99.0, 6, 2, 31.75]


def test_a_service_is_known_by_the_names_of_the_registry(fg: FeatureGraph) -> None:
    service = fg.service(SERVICE)
    assert service.names == [*FEATURES, "transaction_amount"]
    assert [key.name for key in service.join_keys] == ["customer_id"]
    assert [(value.name, value.type, value.required) for value in service.request_values] == [
        ("transaction_amount", "float64", True)
    ]
    with pytest.raises(BadUserInput, match='did you mean "fraud_detection_v1"') as refused:
        fg.service("fraud_detection")
    assert refused.value.code == "BAD_USER_INPUT"


def test_dicts_come_back_as_a_pandas_frame_of_nullable_types(fg: FeatureGraph) -> None:
    rows = [{"customer_id": 1001, "transaction_amount": 25.5}, {"customer_id": 5, "transaction_amount": 3}]
    frame = fg.online(SERVICE, rows, statuses=True)
    statuses = [f"{name}__status" for name in FEATURES]
    assert list(frame.columns) == ["customer_id", "transaction_amount", *FEATURES, *statuses]
    assert frame.loc[0, FEATURES].tolist() == KNOWN
    assert frame.loc[1, FEATURES].isna().all()
    assert frame["transaction_count_7d"].dtype == pd.Int64Dtype()
    assert frame["amount_last_hour"].dtype == np.float64
    assert frame.loc[0, statuses].tolist() == ["PRESENT"] * 6
    assert frame.loc[1, statuses].tolist() == ["NOT_FOUND"] * 6


def test_a_pandas_frame_keeps_its_index_its_dtypes_and_its_other_columns(fg: FeatureGraph) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": pd.Series([5, 1001], dtype="int32"),
            "transaction_amount": [1.0, 2.0],
            "channel": pd.Categorical(["web", "till"]),
        },
    )
    rows.index = pd.Index(["b", "a"], name="payment")
    frame = fg.online(SERVICE, rows)
    pd.testing.assert_frame_equal(frame[list(rows.columns)], rows)
    assert frame.loc["a", FEATURES].tolist() == KNOWN
    with pytest.raises(BadUserInput, match=r'"customer_id" is the index .* frame\.reset_index\(\)'):
        fg.online(SERVICE, rows.set_index("customer_id"))


def test_polars_frames_and_arrow_tables_come_back_as_such(fg: FeatureGraph) -> None:
    rows = pl.DataFrame({"transaction_amount": [1, 2], "customer_id": [1001, 5]})
    frame = fg.online(SERVICE, rows)
    assert frame["transaction_count_7d"].to_list() == [6, None]
    assert frame.schema["transaction_count_7d"] == pl.Int64
    assert frame.select(rows.columns).equals(rows)
    table = fg.online(SERVICE, rows.to_arrow())
    assert table.schema.field("transactions_last_hour").type == pa.int64()
    assert table.column("transactions_last_hour").to_pylist() == [2, None]


def test_vectors_are_a_line_per_row_in_the_services_order_with_its_defaults(fg: FeatureGraph) -> None:
    rows = pd.DataFrame({"customer_id": [5, 1001], "transaction_amount": [7.5, 8.5]})
    vectors = fg.vectors(SERVICE, rows)
    assert vectors.dtype == np.float64
    assert vectors.tolist() == [[0, 0, 0, 0, 0, 0, 7.5], [*KNOWN, 8.5]]
    assert fg.vectors(SERVICE, rows.head(0)).shape == (0, 7)


def test_more_rows_than_a_request_may_have_are_asked_for_in_several(fg: FeatureGraph) -> None:
    rows = [{"customer_id": 1001 if row % 7 == 0 else row, "transaction_amount": row} for row in range(130)]
    vectors = fg.vectors(SERVICE, rows)
    assert vectors.shape == (130, 7)
    assert vectors[:, 6].tolist() == list(range(130))
    assert [row for row in range(130) if vectors[row, 0] == 1234.5] == list(range(0, 130, 7))
    assert len(fg.online(SERVICE, rows)) == 130


def test_a_service_of_several_entities_takes_all_their_keys_and_leaves_defaults_out(fg: FeatureGraph) -> None:
    rows = [{"customer_id": 1001, "merchant_id": "m", "device_id": 1, "basket_value": 2, "is_gift": True}]
    assert fg.vectors("checkout_v1", rows).tolist() == [[6, 9, 1, 0.25, 0, 0, 0.25, 0, 2, 1, 1]]
    with pytest.raises(BadUserInput, match='no column "device_id"'):
        fg.online("checkout_v1", pd.DataFrame({"customer_id": [1], "merchant_id": ["m"], "basket_value": [1.0]}))


def test_keys_beyond_what_json_numbers_hold_are_not_rounded(fg: FeatureGraph) -> None:
    key = 2**53 + 1
    for rows in (
        [{"customer_id": key, "transaction_amount": 1}],
        [{"customer_id": str(key), "transaction_amount": 1}],
    ):
        assert fg.online(SERVICE, rows)["total_transactions_30d"].tolist() == [77.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"customer_id": 1.5, "transaction_amount": 1}, "customer_id: expected int64: .*truncated"),
        ({"customer_id": None, "transaction_amount": 1}, "row 0: customer_id is null, expected int64"),
        ({"customer_id": "x", "transaction_amount": 1}, "customer_id: expected int64"),
        ({"customer_id": 2**63, "transaction_amount": 1}, "customer_id: "),
        ({"customer_id": 1, "transaction_amount": "2"}, "transaction_amount: expected float64, got string"),
        ({"customer_id": 1, "transaction_amount": float("inf")}, "row 0: transaction_amount is inf"),
        ({"customer_id": 1, "transaction_amount": float("nan")}, "row 0: transaction_amount is null"),
        ({"customer_id": 1, "transaction_amonut": 1}, '"transaction_amonut" is not taken; did you mean'),
        ({"customer_id": uuid.UUID(int=1), "transaction_amount": 1}, "customer_id: expected int64"),
        ({"customer_id": 1}, 'no column "transaction_amount"'),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_they_are_sent(
    fg: FeatureGraph, row: dict[str, object], message: str
) -> None:
    with pytest.raises(BadUserInput, match=message):
        fg.vectors(SERVICE, [row])


def test_frames_that_are_none_are_refused(fg: FeatureGraph) -> None:
    with pytest.raises(
        BadUserInput, match=r"expected a pandas or polars DataFrame or a pyarrow Table, got builtins\.int"
    ):
        fg.vectors(SERVICE, 7)  # type: ignore[call-overload]
    twice = pd.DataFrame([[1, 1, 1.0]], columns=["customer_id", "customer_id", "transaction_amount"])
    with pytest.raises(BadUserInput, match="two columns are called customer_id"):
        fg.vectors(SERVICE, twice)


CATALOGUE = {
    "entities": [],
    "featureServices": [
        {
            "name": "s",
            "graphqlName": "s",
            "description": None,
            "joinKeys": [{"name": "k", "graphqlName": "k", "type": "int64"}],
            "requestValues": [],
            "vector": [{"name": "a_1", "graphqlName": "a1", "view": "v", "type": "decimal(2)", "default": 0}],
        }
    ],
}


def test_a_view_that_cannot_be_read_raises_and_partial_takes_what_could(scripted: Scripted) -> None:
    unavailable = {"message": "v could not be read", "path": ["answer"], "extensions": {"code": "UNAVAILABLE"}}
    partial = {"answer": {"names": ["a_1"], "vectors": [[0]], "a1": [None], "statuses": {"a1": ["UNAVAILABLE"]}}}
    scripted.replies = [answer({"data": CATALOGUE}), answer({"data": partial, "errors": [unavailable]})]
    with FeatureGraph(scripted.url) as client:
        for ask in (client.online, client.vectors):
            with pytest.raises(Unavailable, match="v could not be read") as refused:
                ask("s", [{"k": 1}])
            assert refused.value.data == partial
        frame = client.online("s", [{"k": 1}], statuses=True, partial=True)
    assert frame["a_1"].isna().all()
    assert frame["a_1__status"].tolist() == ["UNAVAILABLE"]


def test_a_request_has_at_most_a_thousand_keys(scripted: Scripted) -> None:
    def vectors(handler: object) -> None:
        keys = scripted.bodies[-1]["variables"]["keys"]
        answer({"data": {"answer": {"names": ["a_1"], "vectors": [[key["k"]] for key in keys]}}})(handler)  # type: ignore[arg-type]

    scripted.replies = [answer({"data": CATALOGUE}), vectors]
    with FeatureGraph(scripted.url) as client:
        assert client.vectors("s", pa.table({"k": range(2500)}))[:, 0].tolist() == list(range(2500))
    assert [len(body["variables"]["keys"]) for body in scripted.bodies[1:]] == [1000, 1000, 500]


def test_definitions_that_changed_are_read_again(scripted: Scripted) -> None:
    renamed = {"message": 'Unknown type "SKey"', "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}
    scripted.replies = [
        answer({"data": CATALOGUE}),
        answer({"data": {"answer": {"names": ["a_1"], "vectors": [[1]]}}}),
        answer({"errors": [renamed]}, 400),
        answer({"data": CATALOGUE}),
        answer({"data": {"answer": {"names": ["a_1"], "vectors": [[2]]}}}),
    ]
    with FeatureGraph(scripted.url) as client:
        assert client.vectors("s", [{"k": 1}]).tolist() == [[1]]
        assert client.vectors("s", [{"k": 1}]).tolist() == [[2]]
