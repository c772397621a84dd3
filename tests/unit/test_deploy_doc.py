"""docs/deploy.md names only existing make targets, parameters, outputs and commands."""

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore import xform_name
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

from tests.template import as_list, of_type, role_statements

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "deploy.md").read_text()
TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
BLOCKS = "".join(re.findall(r"^```sh\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)).replace("\\\n", "")
MADE = re.findall(r"^make .+$", BLOCKS, re.MULTILINE)
AWS_COMMANDS = sorted(set(re.findall(r"\baws (?!s3 )([a-z0-9-]+) ([a-z-]+)(.*)", BLOCKS)))
# Options of the AWS CLI that are not parameters of the API
CLI_OPTIONS = {"output", "query", "max-items", "notification-endpoint"}
SESSION = botocore.session.get_session()
BARE = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
SECRETS: dict[str, Any] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
FAKE = '#!/bin/sh\necho "{name} $*" >> "{record}"\n{then}\n'


@pytest.fixture
def artifacts() -> Iterator[Any]:
    """Start S3 with an empty artifacts bucket, and return a client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
    session = boto3.Session(**SECRETS, region_name="us-east-1")
    s3: Any = session.client("s3", endpoint_url=f"http://{host}:{port}")
    s3.create_bucket(Bucket="mine")
    try:
        yield s3
    finally:
        server.stop()


@pytest.fixture
def deploy(tmp_path, artifacts):
    """Run `make deploy` with fakes of the AWS CLI and the SAM CLI; return its result and the calls."""

    def run(*variables: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        record = tmp_path / "record"
        record.touch()
        for name in ("aws", "sam"):
            (tmp_path / name).write_text(FAKE.format(name=name, record=record, then="exit 0"))
            (tmp_path / name).chmod(0o755)
        aws_settings = {"AWS_ENDPOINT_URL": artifacts.meta.endpoint_url, "AWS_DEFAULT_REGION": "us-east-1"}
        aws_settings |= {name.upper(): value for name, value in SECRETS.items()}
        environment = {**BARE, **aws_settings, "PATH": f"{tmp_path}:{BARE['PATH']}"}
        command = ["make", "deploy", f"PACKAGE={tmp_path / 'package'}", f"SAM={tmp_path / 'sam'}", *variables]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return ended, record.read_text().splitlines()

    return run


def test_a_deployment_uploads_then_builds_then_deploys(deploy, artifacts, tmp_path):
    ended, called = deploy("ARTIFACTS_BUCKET=mine", "PARAMETERS=BatchSize=7", "OPTIONS=--no-execute-changeset")
    assert ended.returncode == 0, ended.stderr
    versions = {part: (tmp_path / "package" / part / "version").read_text().strip() for part in ("jobs", "airflow")}
    folders = {part: tmp_path / "package" / part / version for part, version in versions.items()}
    packaged = {
        f"{part}/{versions[part]}/{path.relative_to(folder)}": path.read_bytes()
        for part, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }
    listed = [item["Key"] for item in artifacts.list_objects_v2(Bucket="mine")["Contents"]]
    assert {key: artifacts.get_object(Bucket="mine", Key=key)["Body"].read() for key in listed} == packaged
    parameters = f"ArtifactsBucket=mine JobsVersion={versions['jobs']} BatchSize=7"
    options = f"--s3-bucket mine --s3-prefix functions --parameter-overrides {parameters} --no-execute-changeset"
    assert called == ["sam build", f"sam deploy --force-upload {options}"]
    for step in ("packaged", "Uploading jobs", "Uploading airflow", "Building", "Deploying"):
        assert step in ended.stdout


def test_nothing_is_deployed_if_an_upload_fails(deploy):
    ended, called = deploy("ARTIFACTS_BUCKET=missing", "SKIP_CHECKS=1")
    assert ended.returncode != 0
    assert "was not uploaded to s3://missing/jobs/" in ended.stderr
    assert called == []


def test_nothing_is_built_if_a_check_fails(deploy, tmp_path):
    ended, called = deploy("ARTIFACTS_BUCKET=not-there")
    assert "not-there does not exist: create it" in ended.stdout
    assert ended.returncode != 0
    assert called == []
    assert not (tmp_path / "package").exists()


def test_checks_can_be_skipped(deploy):
    ended, called = deploy("ARTIFACTS_BUCKET=mine", "SKIP_CHECKS=1")
    assert ended.returncode == 0, ended.stderr
    assert "ok   credentials" not in ended.stdout
    assert [line.split()[:2] for line in called] == [["sam", "build"], ["sam", "deploy"]]


def test_a_deployment_without_a_bucket_says_what_is_missing(deploy):
    ended, called = deploy()
    assert ended.returncode != 0
    assert "make deploy ARTIFACTS_BUCKET=my-artifacts" in ended.stdout
    assert called == []


def test_every_documented_make_target_exists():
    targets = {line.split()[1] for line in MADE} | set(re.findall(r"`make ([a-z-]+)`", DOC))
    assert {"deploy", "package"} <= targets
    command = ["make", "--dry-run", *sorted(targets), "ARTIFACTS_BUCKET=mine"]
    ended = subprocess.run(command, cwd=ROOT, env=BARE, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_every_documented_parameter_exists_with_its_default():
    named = [(name, default.strip()) for name, default in re.findall(r"^\| ([A-Z]\w+) \| ([^|]*)\|", DOC, re.MULTILINE)]
    assert len(named) > 4
    for name, default in named:
        assert str(TEMPLATE["Parameters"][name]["Default"]) == default, name
    for line in MADE:
        for name in re.findall(r"(\w+)=\d", line):
            assert name in TEMPLATE["Parameters"]


def test_every_documented_output_exists():
    named = set(re.findall(r"\$\(output (\w+)\)", BLOCKS)) | set(re.findall(r"\b[A-Z]\w+(?:Name|Arn|Url)\b", BLOCKS))
    named -= {"QueueArn", "QuotaName", "DatabaseName", "ResourceArn", "RoleName"}  # attributes of other things
    assert {"AlertsTopicArn", "ReconcilerPolicyArn", "LakeBucketName"} <= named
    assert named <= set(TEMPLATE["Outputs"])


def test_the_removal_deletes_every_retained_resource():
    resources = TEMPLATE["Resources"].items()
    retained = {name for name, resource in resources if "Retain" in resource.get("DeletionPolicy", "")}
    assert retained == {"LandingBucket", "LakeBucket", "MetricsTable", "FilesTable", "LakeDatabase"}
    removal = DOC.split("## 7. Removal", 1)[1]
    for words in ("bucket LANDING_BUCKET", "bucket LAKE_BUCKET", "table-name METRICS_TABLE", "table-name FILES_TABLE"):
        assert f"--{words}" in removal
    database = TEMPLATE["Resources"]["LakeDatabase"]["Properties"]["DatabaseInput"]["Name"]
    assert f"delete-database --name {database}" in removal


def test_the_page_says_how_to_recover_from_a_failed_first_deployment():
    policies = {resource.get("DeletionPolicy", "none") for resource in TEMPLATE["Resources"].values()}
    assert policies == {"none", "RetainExceptOnCreate"}
    section = DOC.split("### When the first deployment fails", 1)[1].split("\n#", 1)[0]
    assert "ROLLBACK_COMPLETE" in section
    assert "aws cloudformation delete-stack --stack-name music-streams" in section
    assert "music_streams" not in section, "the rollback deletes the database"


def test_policies_are_detached_before_the_stack_is_deleted():
    removal = DOC.split("## 7. Removal", 1)[1]
    managed = of_type(TEMPLATE, "AWS::IAM::ManagedPolicy")
    outputs = [name for name, output in TEMPLATE["Outputs"].items() if output["Value"].get("Ref") in managed]
    assert len(outputs) == len(managed), "each policy has an output with which it can be attached"
    before = removal.split("aws cloudformation delete-stack", 1)[0]
    [detached] = re.findall(r"for name in ([\w ]+); do\n.*?detach-role-policy", before, re.DOTALL)
    assert sorted(detached.split()) == sorted(outputs)


def test_a_change_of_the_lake_pauses_everything_that_writes_to_it():
    section = DOC.split("### A change of the lake", 1)[1].split("\n## ", 1)[0]
    for trigger in of_type(TEMPLATE, "AWS::Glue::Trigger").values():
        pause, resume = (section.find(f"{step}-trigger --name {trigger['Name']}") for step in ("stop", "start"))
        assert -1 < pause < section.index("`make deploy`") < resume
    for mapping in ("--no-enabled", "--enabled"):
        assert f"update-event-source-mapping --uuid $MAPPING {mapping}" in section


@pytest.mark.parametrize(("service", "command", "rest"), AWS_COMMANDS)
def test_an_aws_command_names_an_operation_and_its_parameters(service, command, rest):
    if command == "wait":
        waiters = {xform_name(name, "-") for name in SESSION.get_waiter_model(service).waiter_names}
        assert rest.split()[0] in waiters
        return
    model = SESSION.get_service_model(service.removesuffix("api"))
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert command in operations
    shape = model.operation_model(operations[command]).input_shape
    known = {xform_name(name, "-") for name in shape.members} if shape else set()
    given = {word.removeprefix("no-") for word in re.findall(r"--([a-z0-9-]+)", rest)}
    # `--dag-s3-path` is DagS3Path, which xform_name splits differently
    assert {word.replace("-", "") for word in given - CLI_OPTIONS} <= {word.replace("-", "") for word in known}


def test_an_update_of_managed_airflow_names_each_file_at_its_object_version(tmp_path):
    shape = SESSION.get_service_model("mwaa").operation_model("UpdateEnvironment").input_shape
    members = shape.members if shape else {}
    files = {name.removesuffix("S3ObjectVersion") for name in members if name.endswith("S3ObjectVersion")}
    assert files == {"Plugins", "Requirements", "StartupScript"}
    blocks = re.findall(r"^```sh\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)
    [block] = [text for text in blocks if "aws mwaa update" in text]
    # A fake AWS CLI with a version for each key, for a bucket with the objects of the package and the page
    keys = {"airflow/0a1b/plugins.zip", "airflow/0a1b/requirements.txt", "airflow/startup.sh"}
    (tmp_path / "aws").write_text(
        f"""#!{sys.executable}
import sys
arguments = sys.argv[1:]
if "head-object" in arguments:
    key = arguments[arguments.index("--key") + 1]
    sys.exit(254) if key not in {keys} else print(f"version-of-{{key}}")
else:
    print(*arguments, file=open("{tmp_path}/called", "a"))
"""
    )
    (tmp_path / "aws").chmod(0o755)
    (tmp_path / ".build/package/airflow").mkdir(parents=True)
    (tmp_path / ".build/package/airflow/version").write_text("0a1b\n")
    environment = {"PATH": f"{tmp_path}:{BARE['PATH']}", "ARTIFACTS_BUCKET": "mine"}
    subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, check=True)
    update = shlex.split((tmp_path / "called").read_text().splitlines()[0])
    given = dict(zip(update[2::2], update[3::2], strict=True))
    for name in files:
        option = f"--{xform_name(name, '-')}-s3"
        assert given[f"{option}-object-version"] == f"version-of-{given[f'{option}-path']}"
    assert {given[option] for option in given if option.endswith("-path")} == {"airflow/0a1b/dags", *keys}


def test_the_bucket_that_managed_airflow_reads_is_versioned():
    section = DOC.split("## 2. The artifacts bucket", 1)[1].split("\n## ", 1)[0]
    assert "put-bucket-versioning --bucket $ARTIFACTS_BUCKET --versioning-configuration Status=Enabled" in section


def granted_by_lake_formation() -> set[tuple[str, str, str]]:
    """Return role, database or tables, and permission of each documented grant."""
    grants = re.findall(r'^grant "\$\(role (\w+)\)" "\$(DATABASE|TABLES)" ([A-Z_ ]+)$', DOC, re.MULTILINE)
    return {(role, resource, permission) for role, resource, given in grants for permission in given.split()}


def test_the_lake_formation_grants_cover_each_roles_catalog_calls():
    needed = {  # https://docs.aws.amazon.com/lake-formation/latest/dg/lf-permissions-reference.html
        "glue:GetDatabase": ("DATABASE", "DESCRIBE"),
        "glue:GetTable": ("TABLES", "DESCRIBE"),
        "glue:CreateTable": ("DATABASE", "CREATE_TABLE"),
        "glue:UpdateTable": ("TABLES", "ALTER"),
    }
    calls = {
        (role, action)
        for role in of_type(TEMPLATE, "AWS::IAM::Role")
        for statement in role_statements(TEMPLATE, role)
        for action in as_list(statement["Action"])
        if re.fullmatch(r"glue:\w*(Database|Table)s?", action)
    }
    assert {role for role, _ in calls} == {"TransformRole", "MaintainRole"}
    for role, action in sorted(calls):
        assert (role, *needed[action]) in granted_by_lake_formation(), f"{role}: {action}"


def test_the_key_policy_names_every_role_that_decrypts():
    roles = [role["Ref"] for role in TEMPLATE["Resources"]["ProducerKeysPolicy"]["Properties"]["Roles"]]
    assert f"for name in {' '.join(roles)}; do role $name" in DOC


def test_every_documented_role_exists():
    named = set(re.findall(r"\$\(role (\w+)\)", BLOCKS))
    assert named
    assert named <= set(of_type(TEMPLATE, "AWS::IAM::Role"))


def test_every_link_has_a_target():
    for link in re.findall(r"\]\(([^)#]+)", DOC):
        assert (ROOT / "docs" / link).is_file(), link


def test_the_shell_blocks_have_valid_syntax():
    ended = subprocess.run(["bash", "-n"], input=BLOCKS, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert shlex.split(MADE[0])[:2] == ["make", "deploy"]
    assert len(AWS_COMMANDS) > 12
