"""Queries, errors as exceptions, and what is sent again."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

import featuregraph
from featuregraph import (
    BadAnswer,
    BadUserInput,
    FeatureGraph,
    FeatureGraphError,
    Forbidden,
    InvalidQuery,
    LimitExceeded,
    Overloaded,
    TimedOut,
    Unauthenticated,
    Unreachable,
)
from featuregraph.query import is_read_only

from .conftest import Gateway, Scripted, answer, error, hang_up

OK = answer({"data": {"x": 1}})


def test_any_document_answers_its_data(fg: FeatureGraph) -> None:
    document = """query Spine($rows: [CustomerAsOf!]!) {
      customersAsOf(rows: $rows) { customerId customerTransactionFeatures { totalTransactions30d } }
    }"""
    now = datetime.now(timezone(timedelta(hours=2)))
    rows = [{"customerId": np.int64(1001), "asOf": now}, {"customerId": 1001, "asOf": now - timedelta(days=3)}]
    data = fg.query(document, {"rows": rows})
    values = [customer["customerTransactionFeatures"]["totalTransactions30d"] for customer in data["customersAsOf"]]
    assert values == [1234.5, None]


def test_errors_are_exceptions_with_the_gateways_code(fg: FeatureGraph, gateway: Gateway) -> None:
    with pytest.raises(InvalidQuery) as invalid:
        fg.query("{ nothing }")
    assert invalid.value.code == "GRAPHQL_VALIDATION_FAILED"
    assert invalid.value.status == 400
    assert invalid.value.request_id
    assert isinstance(invalid.value, FeatureGraphError)
    with pytest.raises(BadUserInput) as bad:
        fg.query("query Q($id: Int64!) { customer(customerId: $id) { customerId } }", {"id": "x"})
    assert bad.value.code == "BAD_USER_INPUT"
    with pytest.raises(LimitExceeded):
        fg.query("query Q($ids: [Int64!]!) { customers(customerIds: $ids) { customerId } }", {"ids": list(range(41))})
    with FeatureGraph(gateway.url, "wrong") as stranger, pytest.raises(Unauthenticated):
        stranger.query("{ entities { name } }")
    with FeatureGraph(gateway.url, gateway.read_key) as reader, pytest.raises(Forbidden):
        reader.query("mutation { deleteCustomer(customerId: 1) { entity } }")


def test_the_environment_says_which_gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATUREGRAPH_URL", f"{gateway.url}/graphql")
    monkeypatch.setenv("FEATUREGRAPH_API_KEY", gateway.read_key)
    with FeatureGraph() as client:
        assert "merchant" in [entity["name"] for entity in client.query("{ entities { name } }")["entities"]]
        assert gateway.read_key not in repr(client)
    monkeypatch.delenv("FEATUREGRAPH_URL")
    with pytest.raises(BadUserInput, match="set FEATUREGRAPH_URL"):
        FeatureGraph()
    with pytest.raises(BadUserInput, match="such as http://localhost:4000"):
        FeatureGraph("localhost:4000")


def test_a_variable_that_json_has_not_is_refused(fg: FeatureGraph) -> None:
    for value, message in ((float("nan"), "not JSON"), (object(), "not JSON"), (datetime(2026, 1, 1), "no time zone")):
        with pytest.raises(BadUserInput, match=message):
            fg.query("query Q($x: Float) { entities { name } }", {"x": value})


def test_a_read_whose_connection_broke_or_that_was_refused_for_load_is_sent_again(scripted: Scripted) -> None:
    scripted.replies = [hang_up, error("OVERLOADED", 503, retry_after="0"), OK]
    with FeatureGraph(scripted.url) as client:
        assert client.query("{ x }") == {"x": 1}
    assert len(scripted.requests) == 3
    scripted.requests.clear()
    scripted.replies = [hang_up]
    with FeatureGraph(scripted.url) as client, pytest.raises(Unreachable, match="the connection broke"):
        client.query("{ x }")
    assert len(scripted.requests) == 3


def test_a_mutation_that_may_have_been_received_is_sent_once(scripted: Scripted) -> None:
    scripted.replies = [hang_up, OK]
    with FeatureGraph(scripted.url) as client:
        with pytest.raises(Unreachable) as broken:
            client.query("mutation { x }")
        assert broken.value.was_sent
        scripted.requests.clear()
        scripted.replies = [answer(b"busy", 503), OK]
        with pytest.raises(Overloaded):
            client.query("mutation { x }")
    assert len(scripted.requests) == 1


def test_a_wait_that_is_too_long_is_left_to_the_caller(scripted: Scripted) -> None:
    scripted.replies = [error("OVERLOADED", 503, retry_after="3600"), OK]
    with FeatureGraph(scripted.url) as client, pytest.raises(Overloaded) as busy:
        client.query("{ x }")
    assert busy.value.retry_after == 3600
    assert len(scripted.requests) == 1


def test_data_beside_errors_is_in_the_exception(scripted: Scripted) -> None:
    errors = [{"message": "v could not be read", "extensions": {"code": "UNAVAILABLE"}}, {"message": "another"}]
    scripted.replies = [answer({"data": {"x": None, "y": 2}, "errors": errors})]
    with FeatureGraph(scripted.url) as client, pytest.raises(featuregraph.Unavailable, match="and 1 more") as partial:
        client.query("{ x y }")
    assert partial.value.data == {"x": None, "y": 2}
    assert len(partial.value.errors) == 2
    copy = pickle.loads(pickle.dumps(partial.value))
    assert (copy.code, copy.data) == (partial.value.code, partial.value.data)


def test_what_is_no_gateway_is_reported_as_such(scripted: Scripted) -> None:
    scripted.replies = [answer(b"<html>")]
    with FeatureGraph(scripted.url) as client, pytest.raises(BadAnswer, match="not an answer of a gateway"):
        client.query("{ x }")
    nobody = FeatureGraph("http://127.0.0.1:1", retries=0)
    with nobody, pytest.raises(Unreachable, match="is the gateway running") as unreachable:
        nobody.query("{ x }")
    assert not unreachable.value.was_sent


def test_no_answer_in_time_is_not_asked_again(scripted: Scripted) -> None:
    scripted.replies = [lambda handler: handler.rfile.read(1) and None]
    with FeatureGraph(scripted.url, timeout=0.2) as client, pytest.raises(TimedOut):
        client.query("{ x }")
    assert len(scripted.requests) == 1


@pytest.mark.parametrize(
    ("document", "reads"),
    [
        ("{ mutation }", True),
        ('query Q($a: String = "mutation {") { x }', True),
        ("# mutation\n{ x }", True),
        ("mutation { x }", False),
        ("query A { x } mutation B { y }", False),
        ('fragment F on X { a(b: """ } """) } mutation { x }', False),
        ("subscription { x }", False),
    ],
)
def test_which_documents_only_read(document: str, reads: bool) -> None:
    assert is_read_only(document) is reads
