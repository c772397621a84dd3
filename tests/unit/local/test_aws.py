import pytest
from botocore.session import Session

from local.aws import coerce, split_s3_uri


@pytest.mark.parametrize(
    ("api", "given", "wanted"),
    [
        (
            ("lambda", "UpdateFunctionConfiguration"),
            {"MemorySize": "128", "Environment": {"Variables": {"A": 1, "B": True, "C": "c"}}},
            {"MemorySize": 128, "Environment": {"Variables": {"A": "1", "B": "true", "C": "c"}}},
        ),
        (("glue", "CreateJob"), {"MaxCapacity": "0.06"}, {"MaxCapacity": 0.06}),
        (("glue", "CreateWorkflow"), {"MaxConcurrentRuns": "2"}, {"MaxConcurrentRuns": 2}),
        (("lambda", "UpdateEventSourceMapping"), {"Enabled": "false"}, {"Enabled": False}),
        (("glue", "CreateJob"), {"NoSuch": "1"}, {"NoSuch": "1"}),  # for the API to refuse
    ],
)
def test_values_become_what_the_api_wants(api, given, wanted):
    service, operation = api
    assert coerce(given, Session().get_service_model(service).operation_model(operation).input_shape) == wanted


def test_addresses_in_s3():
    assert split_s3_uri("s3://bucket/a/b.py") == ("bucket", "a/b.py")
    with pytest.raises(ValueError, match="not an S3 address"):
        split_s3_uri("/local/file")
