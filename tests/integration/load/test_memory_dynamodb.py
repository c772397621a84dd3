"""The DynamoDB in memory responds to every call of the fence as moto does."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from music_streams.aws import clients
from music_streams.load import fence
from tests.aws import aws_in_process, create_table
from tests.integration.load.days import FILES, METRICS, TABLES, Version, by_key
from tests.integration.load.interleaving import Program, interleave, pool_in_order_of
from tests.integration.load.memory_dynamodb import MemoryDynamoDB


class Both:
    """A client that makes each call on two clients and compares the responses."""

    def __init__(self, one: Any, other: Any) -> None:
        self._one = one
        self._other = other

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            answers = [_answer(getattr(client, operation), arguments) for client in (self._one, self._other)]
            assert _essence(answers[0]) == _essence(answers[1])
            if isinstance(answers[0], ClientError):
                raise answers[0]
            return answers[0]

        return call


def _answer(operation: Any, arguments: dict[str, Any]) -> Any:
    try:
        return operation(**arguments)
    except ClientError as error:
        return error


def _essence(answer: Any) -> Any:
    if isinstance(answer, ClientError):
        return answer.response["Error"]["Code"]
    return {name: value for name, value in answer.items() if name in {"Item", "Attributes"}}


@pytest.fixture(scope="module")
def moto_client():
    with aws_in_process():
        client = clients.dynamodb()
        create_table(client, "FilesTable", FILES)
        create_table(client, "MetricsTable", METRICS)
        yield client


def emptied(client: Any) -> Any:
    """Delete all items from the tables of a client."""
    for table, keys in TABLES.items():
        for item in client.scan(TableName=table)["Items"]:
            client.delete_item(TableName=table, Key={key: item[key] for key in keys})
    return client


RUNS = st.lists(
    st.tuples(
        st.builds(
            Version,
            st.integers(1, 3),
            st.frozensets(st.sampled_from(["GENRE#a", "GENRE#b", "TRACK#c"])),
            st.sampled_from(["old", "new"]),
        ),
        st.lists(st.integers(1, 6), max_size=1),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RUNS, st.lists(st.integers(0, 2), max_size=30))
def test_every_call_of_the_fence_has_the_response_of_moto(moto_client, monkeypatch, runs, choices):
    monkeypatch.setattr(fence, "ThreadPoolExecutor", pool_in_order_of(0))
    memory, moto = MemoryDynamoDB(TABLES), emptied(moto_client)
    both = Both(memory, moto)
    interleave([Program(version.publish, both, deaths) for version, deaths in runs], choices)
    assert by_key(memory.items(METRICS)) == by_key(moto.scan(TableName=METRICS)["Items"])
    assert memory.items(FILES) == moto.scan(TableName=FILES)["Items"]


def test_the_fence_works_with_the_real_thread_pool(moto_client):
    client = emptied(moto_client)
    many = [f"GENRE#{n}" for n in range(40)]
    assert Version(1, frozenset(many)).publish(client)
    assert Version(2, frozenset(many[5:])).publish(client)
    assert not Version(1, frozenset(many)).publish(client)
    assert by_key(client.scan(TableName=METRICS)["Items"]) == by_key(Version(2, frozenset(many[5:])).items())
