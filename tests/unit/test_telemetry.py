"""Metrics that the domain records are sent by the function that it runs in, with the ids that they concern."""

import re
from unittest.mock import Mock, call

import pytest

from checks.translate import translated
from music_streams.aws.telemetry import Metric, MetricUnit, Telemetry
from music_streams.state.statuses import Status
from tests.functions import ROOT
from tests.telemetry import PAGE, table
from tests.template import Template, of_type


@pytest.fixture(scope="module")
def template() -> Template:
    return translated(ROOT / "template.yaml")


def test_recorded_values_are_sent_once_with_unit_and_ids_and_counts_are_summed():
    telemetry, sender = Telemetry(), Mock()
    with telemetry.sent_by(sender, batch_id="b"):
        telemetry.record(Metric.FILES_VALID)
        telemetry.record(Metric.TIME_TO_PUBLISHED, 3.5)
        telemetry.record(Metric.FILES_VALID)
        telemetry.record(Metric.TIME_TO_PUBLISHED, 4.5)
    with telemetry.sent_by(sender):
        pass
    times = [call("TimeToPublished", "Seconds", seconds) for seconds in (3.5, 4.5)]
    assert sender.add_metric.call_args_list == [*times, call("FilesValid", "Count", 2)]
    sender.add_metadata.assert_called_once_with("batch_id", "b")
    sender.flush_metrics.assert_called_once_with()


def test_values_recorded_before_an_error_are_sent():
    telemetry, sender = Telemetry(), Mock()

    def fail() -> None:
        telemetry.record(Metric.FILES_VALID)
        raise RuntimeError

    with pytest.raises(RuntimeError), telemetry.sent_by(sender):
        fail()
    sender.add_metric.assert_called_once_with("FilesValid", "Count", 1)


def test_values_of_an_invocation_that_timed_out_are_not_sent_by_the_next():
    telemetry, sender = Telemetry(), Mock()
    telemetry.record(Metric.FILES_VALID)
    with telemetry.sent_by(sender):
        pass
    assert not sender.mock_calls


def test_every_status_has_a_metric_that_counts_the_files_that_reach_it():
    assert {status.metric.value for status in Status} == {f"Files{status.title()}" for status in Status}


def test_the_page_has_a_row_for_every_metric_with_its_unit():
    assert {(row.metric, row.unit) for row in table()} == {(metric.value, metric.unit) for metric in Metric}
    assert {metric.unit for metric in Metric} == set(MetricUnit)


def test_the_page_names_every_alarm_and_no_other(template):
    section = PAGE.split("## 2. Alarms")[1].split("## 3.")[0]
    named = {name for name in section.replace(",", " ").split() if name.endswith("Alarm")}
    assert named == set(of_type(template, "AWS::CloudWatch::Alarm"))


def test_the_alarm_fires_when_a_file_waits_for_longer_than_the_latency_sla(template):
    alarm = of_type(template, "AWS::CloudWatch::Alarm")["LateFilesAlarm"]
    assert (alarm["MetricName"], alarm["Threshold"]) == ("OldestFileAge", {"Ref": "LatencySlaSeconds"})


def log_groups(template: Template) -> set[str]:
    """Return the CloudWatch log groups of the jobs' standard error, where :mod:`music_streams.aws.logs` writes."""
    return {
        # From Glue 5.0 on, Spark jobs write both streams into one group; .../error has Spark's own lines.
        "/aws-glue/python-jobs/error"
        if job["Command"]["Name"] == "pythonshell"
        else f"/aws-glue/jobs/{'output' if float(job['GlueVersion']) >= 5 else 'error'}"
        for job in of_type(template, "AWS::Glue::Job").values()
    }


@pytest.mark.parametrize(
    ("page", "heading"), [("telemetry.md", "## 4. Logs"), ("runbooks.md", "## 5. Follow one file through the logs")]
)
def test_a_page_names_the_log_groups_of_the_jobs(template, page, heading):
    section = (ROOT / "docs" / page).read_text().split(heading, 1)[1].split("\n## ", 1)[0]
    sentences = re.split(r"[.:]\s", " ".join(section.split()))
    [match] = [sentence for sentence in sentences if "/aws/lambda/STACK`" in sentence and "/aws-glue/" in sentence]
    assert set(re.findall(r"`(/aws-glue/[^`]+)`", match)) == log_groups(template)


def test_the_page_names_the_log_group_of_spark_itself():
    section = PAGE.split("## 4. Logs", 1)[1].split("\n## ", 1)[0]
    sentences = re.split(r"\.\s", " ".join(section.split()))
    [match] = [sentence for sentence in sentences if "`/aws-glue/jobs/error`" in sentence]
    assert "contains the lines of Glue and Spark themselves" in match
