"""What no linter catches: rules of the contract and of security, checked over the translated template."""

import pytest

from tests.unit.template.conftest import ROOT, of_type

OUTPUTS = {
    "LandingBucketName",
    "LakeBucketName",
    "MetricsTableName",
    "FilesTableName",
    "StateMachineArn",
    "ArrivalsQueueUrl",
    "ArrivalsDeadLetterQueueUrl",
    "AlertsTopicArn",
}


def statements(resources) -> list[tuple[str, dict]]:
    return [
        (name, statement)
        for name, role in of_type(resources, "AWS::IAM::Role").items()
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def test_the_outputs_of_the_design_are_there(translated):
    assert set(translated["Outputs"]) >= OUTPUTS


def test_every_bucket_is_private_encrypted_and_speaks_tls_only(resources):
    tls_only = {
        policy["Bucket"]["Ref"]
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        assert all(bucket["PublicAccessBlockConfiguration"].values()), name
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        assert name in tls_only


def test_the_landing_bucket_keeps_versions_and_never_expires_them(resources):
    landing = resources["LandingBucket"]["Properties"]
    assert landing["VersioningConfiguration"]["Status"] == "Enabled"
    rules = landing["LifecycleConfiguration"]["Rules"]
    assert not [rule for rule in rules if any("Expiration" in key for key in rule)]


def test_every_queue_is_encrypted_and_ends_in_a_dead_letter_queue_or_is_one(resources):
    for name, queue in of_type(resources, "AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True, name
        assert "DeadLetter" in name or queue["RedrivePolicy"]["maxReceiveCount"] >= 3, name


def test_the_lease_is_the_time_out_and_shorter_than_the_visibility(resources):
    validate = resources["ValidateFunction"]["Properties"]
    timeout = validate["Timeout"]
    assert float(validate["Environment"]["Variables"]["TIMEOUT_SECONDS"]) == timeout
    assert resources["ArrivalsQueue"]["Properties"]["VisibilityTimeout"] >= 6 * timeout


def test_partial_batch_failures_are_reported(resources):
    [mapping] = of_type(resources, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize(
    ("table", "keys", "index", "index_keys"),
    [
        ("MetricsTable", ["pk", "sk"], "by-day", ["day", "pk"]),
        ("FilesTable", ["source_id"], "by-status", ["status", "updated_at"]),
    ],
)
def test_the_tables_have_the_keys_and_indexes_of_the_design(resources, table, keys, index, index_keys):
    properties = resources[table]["Properties"]
    [found] = properties["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in properties["KeySchema"]] == keys
    assert found["IndexName"] == index
    assert [key["AttributeName"] for key in found["KeySchema"]] == index_keys


def test_each_function_and_job_has_a_role_of_its_own(resources):
    roles = [
        properties["Role"]["Fn::GetAtt"][0]
        for kind in ("AWS::Lambda::Function", "AWS::Glue::Job")
        for properties in of_type(resources, kind).values()
    ]
    assert len(roles) == len(set(roles))


def test_no_role_may_do_everything_or_touch_everything(resources):
    log_delivery = {"logs:CreateLogDelivery"}  # AWS knows no narrower resource for it
    for role, statement in statements(resources):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if "*" in action], role
        assert statement["Resource"] != "*" or log_delivery & set(actions), role


def test_every_function_is_built_from_a_folder_whose_handler_exists(source):
    makefile = (ROOT / "functions" / "Makefile").read_text()
    functions = {name: r for name, r in source["Resources"].items() if r["Type"] == "AWS::Serverless::Function"}
    assert functions
    for name in functions:
        [line] = [line for line in makefile.splitlines() if line.startswith(f"build-{name}: HANDLER = ")]
        handler = ROOT / "functions" / line.rsplit(" ", 1)[1] / "app.py"
        assert "def handler(" in handler.read_text()


def test_the_jobs_scripts_and_library_exist(source):
    wheel = next((ROOT / ".build" / "library").glob("*.whl")).name
    for job in of_type(source["Resources"], "AWS::Glue::Job").values():
        assert (ROOT / job["Command"]["ScriptLocation"]).is_file()
        library = job["DefaultArguments"]["--extra-py-files"]["Fn::Sub"].rsplit("/", 1)[1]
        assert library in {wheel, "music_streams.zip"}


def test_the_spark_job_runs_on_glue_5_1_and_the_loader_on_python_3_9(source):
    resources = source["Resources"]
    transform_job, load_job = resources["TransformJob"]["Properties"], resources["LoadJob"]["Properties"]
    assert transform_job["GlueVersion"] == "5.1"
    assert load_job["Command"] == {
        "Name": "pythonshell",
        "PythonVersion": "3.9",
        "ScriptLocation": "glue/load_metrics.py",
    }
