import pytest
from botocore.session import Session

from local.aws import coerce, split_s3_uri


@pytest.mark.parametrize(
    ("api", "given", "expected"),
    [
        (
            ("lambda", "UpdateFunctionConfiguration"),
            {"MemorySize": "128", "Environment": {"Variables": {"A": 1, "B": True, "C": "c"}}},
            {"MemorySize": 128, "Environment": {"Variables": {"A": "1", "B": "true", "C": "c"}}},
        ),
        (("glue", "CreateJob"), {"MaxCapacity": "0.06"}, {"MaxCapacity": 0.06}),
        (("glue", "CreateWorkflow"), {"MaxConcurrentRuns": "2"}, {"MaxConcurrentRuns": 2}),
        (("lambda", "UpdateEventSourceMapping"), {"Enabled": "false"}, {"Enabled": False}),
        (("glue", "CreateJob"), {"NoSuch": "1"}, {"NoSuch": "1"}),  # the API refuses it
    ],
)
def test_values_are_converted_to_the_types_of_the_api(api, given, expected):
    service, operation = api
    assert coerce(given, Session().get_service_model(service).operation_model(operation).input_shape) == expected


def test_s3_uris_are_split():
    assert split_s3_uri("s3://bucket/a/b.py") == ("bucket", "a/b.py")
    with pytest.raises(ValueError, match="not an S3 URI"):
        split_s3_uri("/local/file")
