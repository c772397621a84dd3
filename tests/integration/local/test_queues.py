import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.local.clouds import Cloud, eventually

pytestmark = pytest.mark.slow


def send(cloud: Cloud, output: str, *bodies: object) -> None:
    sqs, url = cloud.client("sqs"), cloud.outputs[output]
    for first in range(0, len(bodies), 10):
        entries = [
            {"Id": str(index), "MessageBody": json.dumps(body)} for index, body in enumerate(bodies[first : first + 10])
        ]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def is_empty(cloud: Cloud, output: str) -> bool:
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs[output], AttributeNames=["All"])
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return all(attributes["Attributes"][name] == "0" for name in counts)


def test_messages_arrive_in_batches_of_more_than_ten(cloud):
    send(cloud, "ArrivalsUrl", *({"wish": "batched"} for _ in range(25)))
    eventually(lambda: len(cloud.notes("done:batched")) == 25)
    eventually(lambda: is_empty(cloud, "ArrivalsUrl"))
    counts = [int(batch["count"]) for batch in cloud.notes("batch") if "batched" in batch["first"]]
    assert max(counts) > 10


def test_only_the_failed_messages_of_a_batch_are_retried_and_dead_lettered(cloud):
    send(cloud, "ArrivalsUrl", {"wish": "good"}, {"wish": "fail", "name": "partial"}, {"wish": "good"})
    dead = eventually(lambda: cloud.receive("ArrivalsDeadUrl"))
    assert dead == [{"wish": "fail", "name": "partial"}]
    assert len(cloud.notes("done:good")) == 2
    assert is_empty(cloud, "ArrivalsUrl")


@pytest.mark.parametrize("wish", ["raise", "malformed"])
def test_an_error_or_a_malformed_answer_fails_the_whole_batch(cloud, wish):
    send(cloud, "ArrivalsUrl", {"wish": f"before-{wish}"}, {"wish": wish})
    dead = cloud.messages("ArrivalsDeadUrl", 2)
    assert {body["wish"] for body in dead} == {f"before-{wish}", wish}


def test_maximum_concurrency_limits_concurrent_batches(cloud):
    send(cloud, "WorkUrl", *({"number": number} for number in range(6)))
    runs = eventually(lambda: notes if len(notes := cloud.notes("slow")) == 6 else None)
    changes = sorted([(int(run["began"]), 1) for run in runs] + [(int(run["ended"]), -1) for run in runs])
    concurrent = [sum(change for _, change in changes[: index + 1]) for index in range(len(changes))]
    assert max(concurrent) == 2
    assert {run["count"] for run in runs} == {"1"}


def test_nothing_is_lost_or_received_twice_while_others_send_and_receive(cloud):
    url = cloud.client("sqs").create_queue(QueueName="busy")["QueueUrl"]
    cloud.outputs["Busy"] = url
    received: list[int] = []

    def receive() -> None:
        while len(received) < 120:
            received.extend(body["number"] for body in cloud.receive("Busy"))

    with ThreadPoolExecutor(6) as workers:
        receivers = [workers.submit(receive) for _ in range(3)]
        list(workers.map(lambda number: send(cloud, "Busy", {"number": number}), range(120)))
        for receiver in receivers:
            receiver.result(60)
    assert sorted(received) == list(range(120))


def test_a_long_poll_ends_with_a_message(cloud):
    sqs, url = cloud.client("sqs"), cloud.outputs["FailuresUrl"]
    assert sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []) == []
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]) == 1
    sqs.purge_queue(QueueUrl=url)
