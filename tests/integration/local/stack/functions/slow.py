"""Records when it began and ended."""

import os
import time

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    began = time.time_ns()
    time.sleep(0.4)
    note = {"began": began, "ended": time.time_ns(), "count": len(event["Records"])}
    table.put_item(Item={"pk": "slow", "sk": context.aws_request_id, **note})
