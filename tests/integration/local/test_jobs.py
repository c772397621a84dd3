import psutil
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.clouds import zipped


def test_a_successful_run_has_the_attributes_that_aws_bills_by(cloud):
    run_id = cloud.run_job("Shell", extra="given")
    run = cloud.ended_run("Shell", run_id)
    assert run["JobRunState"] == "SUCCEEDED"
    assert run["Attempt"] == 0
    assert run["ExecutionTime"] == int((run["CompletedOn"] - run["StartedOn"]).total_seconds())
    assert run["MaxCapacity"] == 0.0625
    assert "ErrorMessage" not in run
    arguments = cloud.object("Landing", f"jobs/{run_id}.json")
    assert arguments == {
        "--mode": "succeed",
        "--bucket": cloud.outputs["Landing"],
        "--extra": "given",
        "--JOB_NAME": cloud.outputs["Shell"],
        "--JOB_RUN_ID": run_id,
    }
    log = cloud.state.glue / cloud.outputs["Shell"] / f"{run_id}.log"
    assert log.read_text().startswith("arguments ")
    assert f"{run_id} SUCCEEDED" in cloud.state.log_file.read_text()


def test_a_run_can_override_the_number_of_workers(cloud):
    started = cloud.client("glue").start_job_run(
        JobName=cloud.outputs["Shell"], WorkerType="G.1X", NumberOfWorkers=3, Arguments={"--mode": "succeed"}
    )
    run = cloud.ended_run("Shell", started["JobRunId"])
    assert (run["NumberOfWorkers"], run["WorkerType"], run["MaxCapacity"]) == (3, "G.1X", 3.0)


def test_a_run_that_is_stopped_ends_with_its_process(cloud):
    run_id = cloud.run_job("Shell", mode="sleep", name="stopped")
    pid = cloud.object("Landing", "jobs/stopped.pid")
    stopped = cloud.stop_job("Shell", run_id, "jr_none")
    assert stopped == {"SuccessfulSubmissions": [run_id], "Errors": ["jr_none"]}
    assert cloud.ended_run("Shell", run_id)["JobRunState"] == "STOPPED"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_extra_python_files_can_be_imported(cloud):
    cloud.put("library/extra.zip", zipped("extra_module.py", "NAME = 'from the archive'\n"))
    uri = f"s3://{cloud.outputs['Landing']}/library/extra.zip"
    run_id = cloud.run_job("Shell", mode="module", extra_py_files=uri)
    assert cloud.ended_run("Shell", run_id)["JobRunState"] == "SUCCEEDED"
    log = cloud.state.glue / cloud.outputs["Shell"] / f"{run_id}.log"
    assert "from the archive" in log.read_text()


def test_a_script_that_is_missing_fails_the_run(cloud):
    glue = cloud.client("glue")
    command = {"Name": "pythonshell", "ScriptLocation": f"s3://{cloud.outputs['Landing']}/no/such.py"}
    glue.create_job(Name="missing", Role="r", Command=command)
    cloud.outputs["Missing"] = "missing"
    run = cloud.ended_run("Missing", cloud.run_job("Missing"))
    assert run["JobRunState"] == "FAILED"
    assert "404" in run["ErrorMessage"]


def test_a_stale_table_version_is_refused(cloud):
    glue = cloud.client("glue")
    glue.create_database(DatabaseInput={"Name": "versions"})
    glue.create_table(DatabaseName="versions", TableInput={"Name": "t"})
    first = glue.get_table(DatabaseName="versions", Name="t")["Table"]["VersionId"]
    glue.update_table(DatabaseName="versions", TableInput={"Name": "t"}, VersionId=first, SkipArchive=True)
    with pytest.raises(ClientError, match="ConcurrentModificationException"):
        glue.update_table(DatabaseName="versions", TableInput={"Name": "t"}, VersionId=first, SkipArchive=True)
    current = glue.get_table(DatabaseName="versions", Name="t")["Table"]["VersionId"]
    assert current != first
    versions = glue.get_table_versions(DatabaseName="versions", TableName="t")["TableVersions"]
    assert [version["VersionId"] for version in versions] == [current]
