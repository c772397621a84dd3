"""Records every event."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    detail = event["detail"]
    item = {"pk": f"status:{detail['executionArn']}", "sk": detail["status"], "event": json.dumps(event)}
    table.put_item(Item=item)
