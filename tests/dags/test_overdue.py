"""Where a reconciliation is overdue, the operators hear of it."""

import asyncio
import json
from datetime import timedelta

import boto3
import pytest
from music_streams_airflow import overdue

from music_streams import stack
from music_streams.stack import Stack
from tests.aws import aws_in_process


@pytest.fixture
def heard(monkeypatch):
    """What came to a queue that listens to the alerts."""
    with aws_in_process():
        session = boto3.Session(region_name="eu-west-1")
        sqs, sns = session.client("sqs"), session.client("sns")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:heard")
        monkeypatch.setattr(stack, "find_stack", lambda: Stack({"AlertsTopicArn": topic}, session, "stack of a test"))
        yield lambda: [json.loads(each["Body"]) for each in sqs.receive_message(QueueUrl=queue).get("Messages", [])]


def test_the_alert_names_the_dag_and_what_to_do(heard):
    asyncio.run(overdue.alert("reconcile_streams", context={"what": "Airflow passes along"}))
    [alert] = heard()
    assert alert["Subject"] == "music-streams: reconcile_streams is overdue"
    assert "music-streams reconcile does the same by hand" in alert["Message"]


def test_where_airflow_knows_no_deadlines_there_is_none():
    # As where there is no Airflow at all: here.
    assert overdue.deadline("reconcile_streams", timedelta(hours=1)) == {}
