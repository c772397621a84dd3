from typing import Any

import pytest
from botocore.session import Session

from local.aws import coerce, split_s3_uri


def shape(service: str, operation: str) -> Any:
    return Session().get_service_model(service).operation_model(operation).input_shape


def test_values_become_what_the_api_wants():
    given = {"FunctionName": "f", "MemorySize": "128", "Environment": {"Variables": {"A": 1, "B": True}}}
    assert coerce(given, shape("lambda", "UpdateFunctionConfiguration")) == {
        "FunctionName": "f",
        "MemorySize": 128,
        "Environment": {"Variables": {"A": "1", "B": "true"}},
    }


def test_lists_booleans_and_fractions_too():
    given = {"Name": "j", "MaxCapacity": "0.0625", "ExecutionProperty": {"MaxConcurrentRuns": "2"}}
    assert coerce(given, shape("glue", "CreateJob")) == {
        "Name": "j",
        "MaxCapacity": 0.0625,
        "ExecutionProperty": {"MaxConcurrentRuns": 2},
    }
    assert coerce({"Enabled": "false"}, shape("lambda", "UpdateEventSourceMapping")) == {"Enabled": False}


def test_unknown_members_are_left_for_the_api_to_refuse():
    assert coerce({"NoSuch": "1"}, shape("glue", "CreateJob")) == {"NoSuch": "1"}


def test_addresses_in_s3():
    assert split_s3_uri("s3://bucket/a/b.py") == ("bucket", "a/b.py")
    with pytest.raises(ValueError, match="not an S3 address"):
        split_s3_uri("/local/file")
