"""The checks of `make deploy` before it builds anything: each one that fails prints a line with the fix."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from moto import mock_aws

from deploy import check
from deploy.check import Check, checks, main, parameters

REGION = "eu-central-1"


def denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


class Account:
    """An account with moto's S3 and STS, and with the stack and quotas that a test sets."""

    def __init__(self) -> None:
        self.functions: int | None = 1000  # None: access denied
        self.glue: dict[str, float] | None = {
            "Max concurrent job runs per account": 50,
            "Max concurrent job runs per job": 1,  # not a quota of the account
            "Max task DPUs per account": 300,
        }
        self.is_signed_in = True
        self.stack: dict[str, str] = {}

    def client(self, service: str) -> Any:
        if service in {"lambda", "service-quotas", "cloudformation"}:
            return self
        if service == "sts" and not self.is_signed_in:
            raise NoCredentialsError
        return boto3.Session(region_name=REGION).client(service)  # type: ignore[call-overload]

    def get_account_settings(self) -> dict[str, Any]:
        if self.functions is None:
            raise denied("GetAccountSettings")
        return {"AccountLimit": {"ConcurrentExecutions": self.functions}}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if not self.stack:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": f"no {StackName}"}}, "DescribeStacks")
        return {"Stacks": [{"Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in self.stack.items()]}]}

    def get_paginator(self, _operation: str) -> "Account":
        return self

    def paginate(self, ServiceCode: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert ServiceCode == "glue"
        if self.glue is None:
            raise denied("ListServiceQuotas")
        for name, value in self.glue.items():
            yield {"Quotas": [{"QuotaName": name, "QuotaCode": f"L-{len(name)}", "Value": value}]}


@pytest.fixture
def account(monkeypatch, tmp_path) -> Iterator[Account]:
    """An account in which every check passes."""
    (tmp_path / "aws").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with mock_aws():
        account = Account()
        account.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield account


def results(account: Account, *, region: str | None = REGION, bucket: str = "mine", **given: str) -> list[Check]:
    return list(checks(region, account.client, bucket, given))


def failed(account: Account, **arguments: Any) -> str:
    """Return the line of the only check that fails."""
    [line] = [check.line for check in results(account, **arguments) if check.fix]
    return line


def test_each_check_prints_one_line_and_passes_in_a_sound_account(account):
    lines = [check.line for check in results(account)]
    assert all(line.startswith("ok   ") for line in lines), lines
    assert [line.split(":")[0].removeprefix("ok   ") for line in lines] == [
        *("AWS CLI", "region", "credentials", "artifacts bucket", "Lambda's concurrent executions"),
        *("Glue's Max concurrent job runs per account", "Glue's Max task DPUs per account"),
    ]
    assert not [line for line in lines if "\n" in line]


def test_missing_aws_cli_fails(account, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert failed(account) == "FAIL AWS CLI: not found: install it: https://aws.amazon.com/cli/"


def test_without_a_region_the_other_checks_are_skipped(account):
    assert "export AWS_DEFAULT_REGION=" in failed(account, region=None)
    assert len(results(account, region=None)) == 2


def test_without_credentials_the_later_checks_are_skipped(account):
    account.is_signed_in = False
    assert "sign in" in failed(account)
    assert len(results(account)) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bucket": ""}, "make deploy ARTIFACTS_BUCKET=my-artifacts"),
        ({"bucket": "not-there"}, "not-there does not exist: create it"),
        ({"bucket": "no such/name"}, "name a bucket of this account"),
        ({"region": "us-east-1"}, "mine is in eu-central-1, not in us-east-1: create one in us-east-1 "),
        ({"region": "us-east-1"}, "export AWS_DEFAULT_REGION=eu-central-1"),
    ],
)
def test_artifacts_bucket_must_exist_in_the_region(account, arguments, words):
    assert words in failed(account, **arguments)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("403", "access denied to mine: name a bucket of this account"),
        ("301", "is in us-west-2"),
        ("503", "HeadBucket operation: mine: try again"),
    ],
)
def test_each_error_of_the_artifacts_bucket_has_its_own_message(account, code, words):
    headers = {"HTTPHeaders": {"x-amz-bucket-region": "us-west-2"}}
    response: Any = {"Error": {"Code": code, "Message": "mine"}, "ResponseMetadata": headers}
    s3 = Mock(**{"head_bucket.side_effect": ClientError(response, "HeadBucket")})

    def clients(service: str) -> Any:
        return s3 if service == "s3" else account.client(service)

    [line] = [check.line for check in checks(REGION, clients, "mine", {}) if check.fix]
    assert words in line


def test_lambda_quota_of_a_new_account_limits_validate_concurrency(account):
    account.functions = 10
    assert not [check for check in results(account) if check.fix]
    line = failed(account, ValidateConcurrency="8")
    assert "11 needed, quota 10: deploy with a smaller ValidateConcurrency" in line
    account.functions = 11
    assert not [check for check in results(account, ValidateConcurrency="8") if check.fix]
    assert "request-service-quota-increase --service-code lambda --quota-code L-B99A9384" in line


@pytest.mark.parametrize(
    ("quota", "limit", "words"),
    [
        ("Max concurrent job runs per account", 15, "16 needed, quota 15: deploy with a smaller TransformConcurrency"),
        ("Max task DPUs per account", 50, "52.625 needed, quota 50: deploy with a smaller TransformConcurrency"),
    ],
)
def test_glue_quotas_must_allow_all_concurrent_job_runs(account, quota, limit, words):
    account.glue[quota] = limit
    assert words in failed(account)
    assert not [check for check in results(account, TransformConcurrency="2") if check.fix]


def test_unreadable_quotas_do_not_fail(account):
    account.functions = account.glue = None
    lines = [check.line for check in results(account)]
    assert all(line.startswith("ok   ") for line in lines)
    assert len([line for line in lines if "not checked" in line and "AccessDenied" in line]) == 2


def test_given_parameters_override_deployed_ones_which_override_defaults(account):
    account.stack = {"ValidateConcurrency": "9", "TransformConcurrency": "3"}
    values = parameters(account.client, {"ValidateConcurrency": "7"})
    assert (values["ValidateConcurrency"], values["TransformConcurrency"], values["LoadConcurrency"]) == (7, 3, 10)


def test_command_prints_the_failed_check_and_exits_with_1():
    environment = {"PATH": os.environ["PATH"], "AWS_CONFIG_FILE": "/dev/null", "HOME": "/nonexistent"}
    command = [sys.executable, "-m", main.__module__, "mine", "ValidateConcurrency=2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAIL region: not set" in done.stdout
    assert "Nothing was built or deployed" in done.stderr


def test_command_fails_even_if_later_checks_pass(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["check", "mine"])
    monkeypatch.setattr(check, "checks", lambda *_: [Check("one", "wrong", "fix it"), Check("other", "right")])
    with pytest.raises(SystemExit, match="Nothing was built or deployed"):
        main()
    assert capsys.readouterr().out == "FAIL one: wrong: fix it\nok   other: right\n"
