"""Behaves as the event says."""

import importlib
import os
import time
from pathlib import Path

import boto3


def handler(event, context):
    print("behaving", sorted(event))
    if "note" in event:
        boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(
            Item={"pk": event["note"], "sk": context.aws_request_id}
        )
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "allocate" in event:
        ballast = bytearray(event["allocate"] * 1024 * 1024)
        ballast[::4096] = b"x" * len(ballast[::4096])
        time.sleep(1)
    if "import" in event:
        importlib.import_module(event["import"])
    if "raise" in event:
        raise ValueError(event["raise"])
    if "exit" in event:
        os._exit(event["exit"])
    return {"pid": os.getpid(), "cwd": str(Path.cwd()), "environment": dict(os.environ), "echo": event}
