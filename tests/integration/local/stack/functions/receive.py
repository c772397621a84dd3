"""Records every batch; fails as the messages' bodies say."""

import json
import os
import uuid

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])


def handler(event, context):
    records = event["Records"]
    table.put_item(
        Item={"pk": "batch", "sk": str(uuid.uuid4()), "count": len(records), "first": json.dumps(records[0])}
    )
    failures = []
    for record in records:
        body = json.loads(record["body"])
        wish = body.get("wish") or body.get("detail", {}).get("object", {}).get("key", "")
        if wish == "raise":
            raise ValueError("as you wish")
        if wish == "malformed":
            return {"batchItemFailures": [{"itemIdentifier": "no such message"}]}
        if wish == "fail":
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            table.put_item(Item={"pk": f"done:{wish}", "sk": record["messageId"]})
    return {"batchItemFailures": failures}
