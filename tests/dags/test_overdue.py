"""Operators are alerted if a reconciliation is overdue."""

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
def alerts(monkeypatch):
    """Return the alerts that arrived in a subscribed queue."""
    with aws_in_process():
        session = boto3.Session(region_name="eu-west-1")
        sqs, sns = session.client("sqs"), session.client("sns")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        queue = sqs.create_queue(QueueName="subscribed")["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:subscribed")
        monkeypatch.setattr(stack, "find_stack", lambda: Stack({"AlertsTopicArn": topic}, session, "stack of a test"))
        yield lambda: [json.loads(sent["Body"]) for sent in sqs.receive_message(QueueUrl=queue).get("Messages", [])]


def test_the_alert_names_the_dag_and_what_to_do(alerts):
    asyncio.run(overdue.alert("reconcile_streams", context={"anything": "that Airflow passes"}))
    [alert] = alerts()
    assert alert["Subject"] == "music-streams: reconcile_streams is overdue"
    assert "meanwhile run music-streams reconcile" in alert["Message"]


def test_without_airflows_deadlines_there_is_none():
    # There is no Airflow in the environment of this test.
    assert overdue.deadline("reconcile_streams", timedelta(hours=1)) == {}
