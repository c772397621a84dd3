"""Notes every event."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    table.put_item(
        Item={
            "pk": f"status:{event['detail']['executionArn']}",
            "sk": event["detail"]["status"],
            "event": json.dumps(event),
        }
    )
