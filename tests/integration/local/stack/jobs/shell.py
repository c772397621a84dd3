"""Succeeds, fails or sleeps as its arguments say."""

import json
import os
import sys
import time

import boto3

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
print("arguments", json.dumps(arguments))
bucket, mode = arguments["--bucket"], arguments["--mode"]
if mode == "fail":
    raise RuntimeError("the job was asked to fail")
if mode == "fail once":
    s3, note = boto3.client("s3"), f"jobs/{arguments['--name']}.failed"
    if not s3.list_objects_v2(Bucket=bucket, Prefix=note)["KeyCount"]:
        s3.put_object(Bucket=bucket, Key=note)
        raise RuntimeError("the job was asked to fail at first")
if mode == "module":
    import extra_module  # type: ignore[import-not-found]  # from --extra-py-files

    print(extra_module.NAME)
if mode == "sleep":
    boto3.client("s3").put_object(
        Bucket=bucket, Key=f"jobs/{arguments.get('--name', 'job')}.pid", Body=str(os.getpid())
    )
    time.sleep(120)
boto3.client("s3").put_object(Bucket=bucket, Key=f"jobs/{arguments['--JOB_RUN_ID']}.json", Body=json.dumps(arguments))
