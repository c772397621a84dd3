"""Check the prerequisites of a deployment before anything is built: tools, credentials, region, bucket, quotas.

``python -m deploy.check my-artifacts ValidateConcurrency=2`` prints a line for each check. A line that begins with FAIL
ends with the fix, and the exit code is then 1. A quota that cannot be read is not a failure.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samtranslator.yaml_helper import yaml_parse

CHECKOUT = Path(__file__).resolve().parents[1]
STACK = "music-streams"
OTHER_FUNCTIONS = 3  # concurrent with validate: a step of a run, measure, record-failure
MAINTENANCE_DPUS = 2
LOAD_DPUS = 1 / 16
_SECTION = "docs/deploy.md, section"

Clients = Callable[[str], Any]
"""A client of AWS by the name of its service."""


@dataclass(frozen=True)
class Check:
    """The result of one check, and the fix if it failed."""

    name: str
    result: str
    fix: str = ""

    @property
    def line(self) -> str:
        """The line that is printed."""
        return f"FAIL {self.name}: {self.result}: {self.fix}" if self.fix else f"ok   {self.name}: {self.result}"


@dataclass(frozen=True)
class Parameters:
    """The template's parameters, with the values of this deployment."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> int:
        return int(self.values[name])

    @property
    def functions(self) -> int:
        """The concurrent function executions that are needed for nothing to wait."""
        return self["ValidateConcurrency"] + OTHER_FUNCTIONS

    @property
    def job_runs(self) -> int:
        """The maximum number of concurrent job runs."""
        return self["TransformConcurrency"] + self["LoadConcurrency"] + 1

    @property
    def dpus(self) -> float:
        """The maximum number of DPUs of all concurrent job runs."""
        transforming = self["TransformConcurrency"] * self["TransformMostWorkers"]
        return transforming + self["LoadConcurrency"] * LOAD_DPUS + MAINTENANCE_DPUS


def parameters(clients: Clients, given: Mapping[str, str]) -> Parameters:
    """Return the template's defaults, overridden by the deployed stack's values, overridden by the given ones."""
    template = yaml_parse((CHECKOUT / "template.yaml").read_text("utf-8"))["Parameters"]
    values = {name: str(parameter["Default"]) for name, parameter in template.items() if "Default" in parameter}
    try:
        [stack] = clients("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        values |= {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    except (ClientError, BotoCoreError):
        pass  # no stack yet, or no permission to read it, which the deployment itself will report
    return Parameters(values | dict(given))


def checks(region: str | None, clients: Clients, bucket: str, given: Mapping[str, str]) -> Iterator[Check]:
    """Run every check in order; stop after a failure that the later checks depend on."""
    yield _cli()
    if not region:
        yield Check("region", "not set", "export AWS_DEFAULT_REGION=eu-central-1, or another region with Glue 5.1")
        return
    yield Check("region", region)
    account = _account(clients)
    yield account
    if account.fix:
        return
    yield _bucket(clients, bucket, region)
    planned = parameters(clients, given)
    yield _lambda_quota(clients, planned)
    yield from _glue_quotas(clients, planned)


def _cli() -> Check:
    path = shutil.which("aws")
    return Check("AWS CLI", path or "not found", "" if path else "install it: https://aws.amazon.com/cli/")


def _account(clients: Clients) -> Check:
    try:
        identity = clients("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        return Check("credentials", str(error), "sign in, for example with aws sso login or aws configure")
    return Check("credentials", f"{identity['Arn']} in account {identity['Account']}")


def _bucket(clients: Clients, bucket: str, region: str) -> Check:
    name = "artifacts bucket"
    if not bucket:
        return Check(name, "not set", f"make deploy ARTIFACTS_BUCKET=my-artifacts (to create one: {_SECTION} 2)")
    try:
        response = clients("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        response, code = error.response, error.response["Error"]["Code"]
        if code == "404":
            return Check(name, f"{bucket} does not exist", f"create it ({_SECTION} 2)")
        if code == "403":
            fix = "name a bucket of this account, or grant these credentials s3:ListBucket on it"
            return Check(name, f"access denied to {bucket}", fix)
        if code != "301":  # 301: the bucket is in another region
            return Check(name, f"{bucket}: {error}", "try again, or name another bucket")
    except BotoCoreError as error:  # an invalid bucket name, or a region that does not respond
        return Check(name, f"{bucket}: {error}", f"name a bucket of this account ({_SECTION} 2)")
    bucket_region = response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    if bucket_region != region:
        fix = f"create one in {region} ({_SECTION} 2), or export AWS_DEFAULT_REGION={bucket_region}"
        return Check(name, f"{bucket} is in {bucket_region}, not in {region}", fix)
    return Check(name, f"{bucket} in {bucket_region}")


def _lambda_quota(clients: Clients, planned: Parameters) -> Check:
    name = "Lambda's concurrent executions"
    try:
        limit = clients("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except (ClientError, BotoCoreError) as error:
        return _unknown(name, error)
    fix = f"deploy with a smaller ValidateConcurrency ({_SECTION} 1), or {_increase('lambda', 'L-B99A9384', 1000)}"
    return _compare(name, planned.functions, limit, fix)


def _glue_quotas(clients: Clients, planned: Parameters) -> Iterator[Check]:
    needs = {
        "concurrent job runs per account": (planned.job_runs, "TransformConcurrency or LoadConcurrency"),
        "dpus per account": (planned.dpus, "TransformConcurrency or TransformMostWorkers"),
    }
    try:
        pages = clients("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="glue")
        quotas = [quota for page in pages for quota in page["Quotas"]]
    except (ClientError, BotoCoreError) as error:
        yield _unknown("Glue's quotas", error)
        return
    for suffix, (needed, names) in needs.items():
        for quota in quotas:
            if quota["QuotaName"].lower().endswith(suffix):
                increase = _increase("glue", quota["QuotaCode"], needed)
                fix = f"deploy with a smaller {names} ({_SECTION} 1), or {increase}"
                yield _compare(f"Glue's {quota['QuotaName']}", needed, quota["Value"], fix)


def _compare(name: str, needed: float, limit: float, fix: str) -> Check:
    return Check(name, f"{needed:g} needed, quota {limit:g}", "" if needed <= limit else fix)


def _increase(service: str, code: str, value: float) -> str:
    command = "aws service-quotas request-service-quota-increase"
    return f"{command} --service-code {service} --quota-code {code} --desired-value {value:g}"


def _unknown(name: str, error: Exception) -> Check:
    return Check(name, f"not checked ({error})")


def main() -> None:
    """Run the checks; exit with code 1 if one failed."""
    parser = argparse.ArgumentParser(description="Check the prerequisites of a deployment")
    parser.add_argument("bucket", help="the artifacts bucket")
    parser.add_argument("parameters", nargs="*", help="parameters of the template, as Name=value")
    arguments = parser.parse_args()
    session: Any = boto3.Session()
    given = dict(argument.partition("=")[::2] for argument in arguments.parameters)
    failed = False
    for check in checks(session.region_name, session.client, arguments.bucket, given):
        print(check.line, flush=True)
        failed |= bool(check.fix)
    if failed:
        sys.exit("Nothing was built or deployed. Fix what failed, or deploy without checks: SKIP_CHECKS=1.")


if __name__ == "__main__":
    main()
