"""Names, keys and versions of the template that the design fixes. Rules of security and operation: test_rules.py."""

import pytest

from deploy.package import package
from local.errors import TemplateError
from local.intrinsics import Resolver
from local.template import parameter_values
from tests.unit.template.conftest import ROOT, of_type

OUTPUTS = {
    *("LandingBucketName", "LakeBucketName", "MetricsTableName", "FilesTableName"),
    *("StateMachineArn", "ArrivalsQueueUrl", "ArrivalsDeadLetterQueueUrl", "AlertsTopicArn"),
}


def test_template_has_the_outputs_of_the_design(translated):
    assert set(translated["Outputs"]) >= OUTPUTS


def test_lease_equals_the_timeout(resources):
    validate = resources["ValidateFunction"]["Properties"]
    assert float(validate["Environment"]["Variables"]["TIMEOUT_SECONDS"]) == validate["Timeout"]


@pytest.mark.parametrize(
    ("table", "keys", "index", "index_keys"),
    [
        ("MetricsTable", ["pk", "sk"], "by-day", ["day", "pk"]),
        ("FilesTable", ["source_id"], "by-status", ["status", "updated_at"]),
    ],
)
def test_tables_have_the_keys_and_indexes_of_the_design(resources, table, keys, index, index_keys):
    properties = resources[table]["Properties"]
    [only_index] = properties["GlobalSecondaryIndexes"]
    assert [key["AttributeName"] for key in properties["KeySchema"]] == keys
    assert only_index["IndexName"] == index
    assert [key["AttributeName"] for key in only_index["KeySchema"]] == index_keys


def test_one_run_of_more_days_than_a_file_may_have_fires_the_alarm(resources):
    alarm = of_type(resources, "AWS::CloudWatch::Alarm")["ManyDaysAlarm"]
    limit = of_type(resources, "AWS::Glue::Job")["TransformJob"]["DefaultArguments"]["--max_days_per_file"]
    assert alarm["Threshold"] == limit == {"Ref": "MaxDaysPerFile"}
    # The maximum of any run, not a sum or mean of many small runs; a single breach is enough.
    assert (alarm["ComparisonOperator"], alarm["Statistic"]) == ("GreaterThanThreshold", "Maximum")
    assert (alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", 1)) == (1, 1)


def test_scripts_and_library_of_the_jobs_are_in_the_package(source, tmp_path):
    version = package("jobs", ROOT, tmp_path)
    prefix = "s3://${ArtifactsBucket}/jobs/${JobsVersion}/"
    for job in of_type(source["Resources"], "AWS::Glue::Job").values():
        for location in (job["Command"]["ScriptLocation"], job["DefaultArguments"]["--extra-py-files"]):
            address = location["Fn::Sub"]
            assert address.startswith(prefix)
            assert (tmp_path / "jobs" / version / address.removeprefix(prefix)).is_file()


def test_spark_jobs_run_on_glue_5_1_and_the_loader_on_python_3_9(source):
    jobs = of_type(source["Resources"], "AWS::Glue::Job").values()
    versions = {(job["Command"]["Name"], job.get("GlueVersion"), job["Command"]["PythonVersion"]) for job in jobs}
    assert versions == {("glueetl", "5.1", "3"), ("pythonshell", "3.0", "3.9")}


KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b2c3d-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("arns", "is_wanted"),
    [("", False), (KEY, True), (f"{KEY},arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-0a1b", True)],
)
def test_producer_keys_policy_exists_only_if_keys_are_named(source, arns, is_wanted):
    values = parameter_values({"ProducerKeyArns": source["Parameters"]["ProducerKeyArns"]}, {"ProducerKeyArns": arns})
    resolver = Resolver(values=values, mappings={}, conditions=source["Conditions"], ref=str, attribute=str.format)
    assert resolver.condition(source["Resources"]["ProducerKeysPolicy"]["Condition"]) is is_wanted


@pytest.mark.parametrize("arns", ["alias/producer", KEY.replace("key/", "alias/"), f"{KEY},*", f"{KEY} {KEY}"])
def test_producer_keys_must_be_key_arns(source, arns):
    with pytest.raises(TemplateError, match="does not match"):
        parameter_values({"ProducerKeyArns": source["Parameters"]["ProducerKeyArns"]}, {"ProducerKeyArns": arns})
