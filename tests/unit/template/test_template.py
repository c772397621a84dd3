"""What the design fixes of the template: names, keys, versions. Rules of security and operation: test_rules.py."""

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


def test_the_outputs_of_the_design_are_there(translated):
    assert set(translated["Outputs"]) >= OUTPUTS


def test_the_lease_is_the_time_out(resources):
    validate = resources["ValidateFunction"]["Properties"]
    assert float(validate["Environment"]["Variables"]["TIMEOUT_SECONDS"]) == validate["Timeout"]


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
