"""The pipeline that the commands use: its endpoint and the outputs of its stack."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from music_streams.aws.clients import config, error_code
from music_streams.errors import NoPipeline
from music_streams.policy import Policy
from music_streams.reader import MetricsReader
from music_streams.run.executions import Executions
from music_streams.state.ledger import Ledger

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table
    from types_boto3_s3 import S3Client

DEFAULT_STACK = "music-streams"
_CHECKOUT = Path(__file__).resolve().parents[1]
_NEEDED = ("LandingBucketName", "LakeBucketName", "MetricsTableName", "FilesTableName", "StateMachineArn")
_SOCKETS = Path("/proc/net/tcp")
_MAX_ATTEMPTS = 5  # of a call: an operator waits for the answer


@dataclass(frozen=True)
class Stack:
    """A deployed pipeline.

    Attributes:
        outputs: the Outputs of template.yaml.
        session: region and credentials.
        where: its name in messages.
        endpoint: of a local cloud; None if botocore resolves the endpoints.
    """

    outputs: Mapping[str, str]
    session: boto3.Session = field(repr=False)
    where: str
    endpoint: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it runs on the local cloud."""
        return self.endpoint is not None

    @property
    def landing_bucket(self) -> str:
        """The bucket in which producers put files."""
        return self.outputs["LandingBucketName"]

    @property
    def lake_bucket(self) -> str:
        """The bucket with the lake and the runs' folders."""
        return self.outputs["LakeBucketName"]

    @cached_property
    def policy(self) -> Policy:
        """The thresholds that the deployment set."""
        return Policy.of(self.outputs)

    def output(self, name: str) -> str:
        """Return an output that stacks of earlier versions may lack. Raises NoPipeline if this one lacks it."""
        if name not in self.outputs:
            raise NoPipeline(
                f"the {self.where} has no output {name}: it was deployed from an earlier version",
                next_steps=["music-streams up     or deploy the template again"],
            )
        return self.outputs[name]

    def client(self, service: str) -> Any:  # noqa: ANN401 - callers name the stub type of the service
        """Return a client of an AWS service."""
        return self.session.client(service, endpoint_url=self.endpoint, config=self._config)  # type: ignore[call-overload]  # service is not a literal

    @cached_property
    def s3(self) -> "S3Client":
        """A client for the buckets."""
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of files."""
        return Ledger(self.outputs["FilesTableName"], self.dynamodb)

    @cached_property
    def executions(self) -> Executions:
        """The executions of the pipeline's state machine."""
        return Executions(self.client("stepfunctions"), self.outputs["StateMachineArn"])

    @cached_property
    def metrics(self) -> "Table":
        """The table with the metrics."""
        table: Table = self._dynamodb.Table(self.outputs["MetricsTableName"])
        return table

    @cached_property
    def reader(self) -> MetricsReader:
        """The metrics as typed values."""
        return MetricsReader(self.outputs["MetricsTableName"], self.dynamodb)

    @property
    def dynamodb(self) -> Any:  # noqa: ANN401 - as clients.dynamodb gives it
        """A DynamoDB client that accepts and returns plain Python values."""
        return self._dynamodb.meta.client

    @cached_property
    def _dynamodb(self) -> Any:  # noqa: ANN401 - its stub type knows neither plain values nor condition objects
        return self.session.resource("dynamodb", endpoint_url=self.endpoint, config=self._config)

    @property
    def _config(self) -> Config:
        # A proxy for the internet must not be used for this machine.
        return config(_MAX_ATTEMPTS, proxies={}) if self.is_local else config(_MAX_ATTEMPTS)


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder of the local cloud: LOCAL_CLOUD_STATE, else `.local` in the checkout."""
    configured = environment.get("LOCAL_CLOUD_STATE")
    if configured:
        return Path(configured)
    return Path(".local") if Path.cwd() == _CHECKOUT else _CHECKOUT / ".local"


def find_stack(stack_name: str | None = None, environment: Mapping[str, str] = os.environ) -> Stack:
    """Return the first of these pipelines; the environment is read, never changed.

    1. A stack named by ``--stack-name`` or MUSIC_STREAMS_STACK: its outputs come from CloudFormation, with the usual
       credentials of AWS.
    2. AWS_ENDPOINT_URL, unless it is the local cloud's own: the stack ``music-streams`` behind that endpoint.
    3. The local cloud whose state folder is LOCAL_CLOUD_STATE, else ``.local`` in the checkout.

    Raises:
        NoPipeline: there is none; the details list every place that was searched.
    """
    name = stack_name or environment.get("MUSIC_STREAMS_STACK")
    endpoint = environment.get("AWS_ENDPOINT_URL")
    local, local_problem = _local_stack(state_folder(environment))
    if name:
        return _deployed_stack(name, endpoint)
    if endpoint and not (local and local.endpoint and _address(local.endpoint) == _address(endpoint)):
        return _deployed_stack(DEFAULT_STACK, endpoint)
    if local:
        return local
    raise NoPipeline(
        "no running pipeline was found",
        details=[
            "--stack-name, MUSIC_STREAMS_STACK   not set: no stack on AWS is selected",
            "AWS_ENDPOINT_URL                    not set",
            f"LOCAL_CLOUD_STATE                   {local_problem}",
        ],
        next_steps=[
            "music-streams up                               start the local cloud",
            "export MUSIC_STREAMS_STACK=music-streams       use the stack of that name on AWS",
        ],
    )


def _local_stack(state: Path) -> tuple[Stack | None, str]:
    """Return the local cloud's stack, or why there is none."""
    path = state / "stack.json"
    try:
        if path.stat().st_uid != os.geteuid():
            return None, f"{path} belongs to another user and is not trusted"
        record: dict[str, Any] = json.loads(path.read_text())
        endpoint, outputs = record["endpoint"], record["outputs"]
        session = boto3.Session(record["access_key_id"], record["secret_access_key"], region_name=record["region"])
    except FileNotFoundError:
        return None, f"no local cloud: there is no {path}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return None, f"{path} cannot be read ({type(error).__name__}); music-streams up writes it again"
    if not _listens(endpoint):
        return None, f"{path} names {endpoint}, where nothing listens: the local cloud has stopped"
    if _is_of_other_user(_address(endpoint)[1]):
        return None, f"{path} names {endpoint}, where another user's program listens: the local cloud has stopped"
    return Stack(outputs, session, f"local cloud at {endpoint}", endpoint), ""


def _address(endpoint: str) -> tuple[str, int]:
    """Return host and port of an endpoint, localhost as 127.0.0.1; ("", 0) if it is not a URL."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0
    return "127.0.0.1" if host == "localhost" else host, port


def _listens(endpoint: str) -> bool:
    try:
        with socket.create_connection(_address(endpoint), timeout=2):
            return True
    except OSError:
        return False


def _is_of_other_user(port: int) -> bool:
    """Whether a program of another user listens on a port of this machine; False if the system does not report it."""
    tables = (_SOCKETS, _SOCKETS.with_name("tcp6"))  # an IPv6 socket can listen on IPv4 addresses too
    sockets = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    ends = {_end("127.0.0.1", port), _end("0.0.0.0", port)}  # noqa: S104 - looked for, not bound
    users = {int(uid) for _, local, _, state, _, _, _, uid, *_ in sockets if state == "0A" and local[-13:] in ends}
    return bool(users - {os.geteuid()})


def _end(host: str, port: int) -> str:
    """Format an address and port as in the kernel's table: the address is one number in the machine's byte order."""
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"


def _deployed_stack(name: str, endpoint: str | None) -> Stack:
    place = endpoint or "AWS"
    try:
        session = boto3.Session()
        cloudformation: Any = session.client("cloudformation", config=config(_MAX_ATTEMPTS))
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        raise _explained(error, name, place) from error
    except BotoCoreError as error:
        raise no_access(error, place) from error
    except ValueError as error:  # botocore's error if the endpoint is not a URL
        raise NoPipeline(str(error), next_steps=["correct or unset AWS_ENDPOINT_URL"]) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    missing = [needed for needed in _NEEDED if needed not in outputs]
    if missing:
        raise NoPipeline(
            f"the stack {name} at {place} is not a music-streams pipeline, or its deployment has not finished",
            details=[f"its outputs lack {', '.join(missing)}; its status is {stack.get('StackStatus', 'unknown')}"],
            next_steps=["make deploy ARTIFACTS_BUCKET=…        deploy it", "or select another stack with --stack-name"],
        )
    return Stack(outputs, session, f"stack {name} in {session.region_name}")


def _explained(error: ClientError, name: str, place: str) -> NoPipeline:
    if error_code(error) == "ValidationError":  # CloudFormation's error if there is no such stack
        return NoPipeline(
            f"there is no stack {name} at {place}",
            details=["the name is --stack-name or MUSIC_STREAMS_STACK, by default music-streams"],
            next_steps=[
                "aws cloudformation describe-stacks     list the existing stacks",
                "unset MUSIC_STREAMS_STACK AWS_ENDPOINT_URL   use the local cloud of this checkout again",
                "export LOCAL_CLOUD_STATE=FOLDER        use the local cloud with that state folder",
            ],
        )
    return no_access(error, place)


def no_access(error: Exception, place: str) -> NoPipeline:
    """Return the error to raise for an error of botocore about denied access or a missing answer."""
    if isinstance(error, NoRegionError):
        return NoPipeline(
            "no AWS region is set",
            next_steps=["export AWS_DEFAULT_REGION=eu-west-1     or set it in the AWS profile"],
        )
    return NoPipeline(
        f"{place}: access denied or no answer",
        details=[str(error)],
        next_steps=[
            "aws sts get-caller-identity            check the credentials (AWS_PROFILE, …)",
            "for the local cloud: music-streams up",
        ],
    )
