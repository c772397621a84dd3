"""Checks what a deployment needs before anything is built: tools, credentials, region, artifacts bucket, quotas.

``python -m deploy.check my-artifacts ValidateConcurrency=2`` prints a line for each check. A line that begins with FAIL
ends with what to do, and the exit code is then 1. A quota that may not be
read fails nothing.
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
BESIDE_VALIDATE = 3  # functions at once: a step of a run, measure, record-failure
MAINTENANCE_DPUS = 2
LOAD_DPUS = 1 / 16
_SECTION = "docs/deploy.md, section"

Clients = Callable[[str], Any]
"""A client of AWS by the name of its service."""


@dataclass(frozen=True)
class Check:
    """One check: what was found, and what to do about it if it failed."""

    name: str
    found: str
    fix: str = ""

    @property
    def line(self) -> str:
        """As it is printed."""
        return f"FAIL {self.name}: {self.found}: {self.fix}" if self.fix else f"ok   {self.name}: {self.found}"


@dataclass(frozen=True)
class Parameters:
    """The template's parameters as the deployment will have them."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> int:
        return int(self.values[name])

    @property
    def functions(self) -> int:
        """Functions that run at once, at least, where nothing is to wait."""
        return self["ValidateConcurrency"] + BESIDE_VALIDATE

    @property
    def job_runs(self) -> int:
        """Job runs at once, at most."""
        return self["TransformConcurrency"] + self["LoadConcurrency"] + 1

    @property
    def dpus(self) -> float:
        """DPUs of all job runs at once, at most."""
        transforming = self["TransformConcurrency"] * self["TransformMostWorkers"]
        return transforming + self["LoadConcurrency"] * LOAD_DPUS + MAINTENANCE_DPUS


def parameters(clients: Clients, given: Mapping[str, str]) -> Parameters:
    """The template's defaults, over them what the deployed stack has, over that what is given."""
    template = yaml_parse((CHECKOUT / "template.yaml").read_text("utf-8"))["Parameters"]
    values = {name: str(each["Default"]) for name, each in template.items() if "Default" in each}
    try:
        [stack] = clients("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        values |= {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    except (ClientError, BotoCoreError):
        pass  # there is none yet, or it may not be read: the deployment itself will say so
    return Parameters(values | dict(given))


def checks(region: str | None, clients: Clients, bucket: str, given: Mapping[str, str]) -> Iterator[Check]:
    """Every check, in order; those that cannot be made without an earlier one end with it."""
    yield _cli()
    if not region:
        yield Check("region", "none is set", "export AWS_DEFAULT_REGION=eu-central-1, or another with Glue 5.1")
        return
    yield Check("region", region)
    account = _account(clients)
    yield account
    if account.fix:
        return
    yield _bucket(clients, bucket, region)
    wanted = parameters(clients, given)
    yield _lambda_quota(clients, wanted)
    yield from _glue_quotas(clients, wanted)


def _cli() -> Check:
    found = shutil.which("aws")
    return Check("AWS CLI", found or "not found", "" if found else "install it: https://aws.amazon.com/cli/")


def _account(clients: Clients) -> Check:
    try:
        identity = clients("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        return Check("credentials", str(error), "sign in, as with aws sso login, or aws configure")
    return Check("credentials", f"{identity['Arn']} in account {identity['Account']}")


def _bucket(clients: Clients, bucket: str, region: str) -> Check:
    name = "artifacts bucket"
    if not bucket:
        return Check(name, "none is named", f"make deploy ARTIFACTS_BUCKET=my-artifacts ({_SECTION} 2 makes one)")
    try:
        answer = clients("s3").head_bucket(Bucket=bucket)
    except ClientError as error:
        answer, code = error.response, error.response["Error"]["Code"]
        if code == "404":
            return Check(name, f"{bucket} does not exist", f"create it ({_SECTION} 2)")
        if code == "403":
            fix = "name a bucket of this account, or grant these credentials s3:ListBucket on it"
            return Check(name, f"access denied to {bucket}", fix)
        if code != "301":  # it is in another region
            return Check(name, f"{bucket}: {error}", "try again, or name another bucket")
    except BotoCoreError as error:  # a name that no bucket can have, a region that does not answer
        return Check(name, f"{bucket}: {error}", f"name a bucket of this account ({_SECTION} 2)")
    there = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    if there != region:
        fix = f"create one in {region} ({_SECTION} 2), or export AWS_DEFAULT_REGION={there}"
        return Check(name, f"{bucket} is in {there}, not in {region}", fix)
    return Check(name, f"{bucket} in {there}")


def _lambda_quota(clients: Clients, wanted: Parameters) -> Check:
    name = "Lambda's concurrent executions"
    try:
        limit = clients("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except (ClientError, BotoCoreError) as error:
        return _unknown(name, error)
    fix = f"deploy with a smaller ValidateConcurrency ({_SECTION} 1), or {_increase('lambda', 'L-B99A9384', 1000)}"
    return _against(name, wanted.functions, limit, fix)


def _glue_quotas(clients: Clients, wanted: Parameters) -> Iterator[Check]:
    needs = {
        "concurrent job runs per account": (wanted.job_runs, "TransformConcurrency or LoadConcurrency"),
        "dpus per account": (wanted.dpus, "TransformConcurrency or TransformMostWorkers"),
    }
    try:
        pages = clients("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="glue")
        quotas = [quota for page in pages for quota in page["Quotas"]]
    except (ClientError, BotoCoreError) as error:
        yield _unknown("Glue's quotas", error)
        return
    for ending, (needed, names) in needs.items():
        for quota in quotas:
            if quota["QuotaName"].lower().endswith(ending):
                increase = _increase("glue", quota["QuotaCode"], needed)
                fix = f"deploy with a smaller {names} ({_SECTION} 1), or {increase}"
                yield _against(f"Glue's {quota['QuotaName']}", needed, quota["Value"], fix)


def _against(name: str, needed: float, limit: float, fix: str) -> Check:
    return Check(name, f"{needed:g} needed of {limit:g}", "" if needed <= limit else fix)


def _increase(service: str, code: str, value: float) -> str:
    command = "aws service-quotas request-service-quota-increase"
    return f"{command} --service-code {service} --quota-code {code} --desired-value {value:g}"


def _unknown(name: str, error: Exception) -> Check:
    return Check(name, f"not checked ({error})")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check what a deployment needs")
    parser.add_argument("bucket", help="the artifacts bucket")
    parser.add_argument("parameters", nargs="*", help="parameters of the template, as Name=value")
    arguments = parser.parse_args()
    session: Any = boto3.Session()
    given = dict(each.partition("=")[::2] for each in arguments.parameters)
    failed = False
    for check in checks(session.region_name, session.client, arguments.bucket, given):
        print(check.line, flush=True)
        failed |= bool(check.fix)
    if failed:
        sys.exit("Nothing was built or deployed. SKIP_CHECKS=1 deploys all the same.")


if __name__ == "__main__":
    main()
