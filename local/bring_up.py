"""The command `up`."""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from local import control
from local.aws import Aws, split_s3_uri
from local.deployment import deploy
from local.errors import LocalCloudError, TemplateError
from local.packaging import upload_folder
from local.samconfig import Settings, read_settings
from local.spark_archive import begin_archiving
from local.spark_jars import ensure_jars
from local.state import DEFAULT_STATE, StateDir, write_json
from local.template import Template, read_template

Report = Callable[[str], None]
Upload = tuple[Path, str, str]  # folder, bucket, prefix


def bring_up(
    state: StateDir,
    template_path: Path,
    *,
    fresh: bool,
    uploads: list[str],
    parameters: Mapping[str, str],
    port: int,
    report: Report,
) -> None:
    """Start the server unless it is running, deploy the template, and write stack.json. Raises LocalCloudError."""
    began = time.monotonic()
    settings = read_settings(template_path.parent / "samconfig.toml").with_parameters(parameters)
    template = read_template(template_path, settings)
    folders = [_parse_upload(entry) for entry in uploads]
    if fresh:
        control.stop(state)
        control.delete_files(state)
    record = state.live_server()
    if record is not None and port not in {0, int(record.endpoint.rsplit(":", 1)[1])}:
        raise TemplateError(f"the cloud is already running at {record.endpoint}: stop it before you change its port")
    is_update = record is not None
    if record is None:
        report("starting the server …")
        record = control.start(state, port, settings.region)
    try:
        outputs, resources = _deploy(
            template, settings, Aws(record.endpoint, record.region, record.credentials), folders, report
        )
    except LocalCloudError:
        report("the server is still running: fix the error and run `up` again, or stop it with `down`")
        raise
    if template.has_spark_jobs and begin_archiving(state):
        report("archiving Spark's classes in the background, once, so that jobs start faster")
    _warn_of_leftovers(state, resources, report)
    write_json(state.resources_file, resources)
    access = {"endpoint": record.endpoint, "region": record.region, **asdict(record.credentials)}
    write_json(state.stack_file, {**access, "outputs": outputs})
    verb = "updated" if is_update else "up"
    seconds = time.monotonic() - began
    report(f"{settings.stack_name} is {verb}: {len(resources)} resources in {seconds:.1f} s")
    _summary(state, record.endpoint, record.pid, report)


def _deploy(
    template: Template, settings: Settings, aws: Aws, folders: list[Upload], report: Report
) -> tuple[dict[str, str], dict[str, str]]:
    with ThreadPoolExecutor(max_workers=1) as background:
        spark = background.submit(ensure_jars, report) if template.has_spark_jobs else None
        for folder, bucket, prefix in folders:
            count = upload_folder(aws, folder, bucket, prefix)
            report(f"uploaded {count} files of {folder} to s3://{bucket}/{prefix}")
        deployed = deploy(template, settings, aws, report)
        if spark is not None:
            spark.result()
    return deployed


def _parse_upload(entry: str) -> Upload:
    try:
        folder, target = entry.rsplit("=", 1)
        bucket, prefix = split_s3_uri(target)
    except ValueError as error:
        raise TemplateError(f"--upload {entry}: write DIR=s3://bucket/prefix") from error
    return Path(folder), bucket, prefix


def _warn_of_leftovers(state: StateDir, resources: dict[str, str], report: Report) -> None:
    """Name the resources that an update leaves although the template no longer has them."""
    if state.resources_file.is_file():
        gone = sorted(set(json.loads(state.resources_file.read_text())) - set(resources))
        if gone:
            report(f"no longer in the template, kept until `up --fresh`: {', '.join(gone)}")


def _summary(state: StateDir, endpoint: str, pid: int, report: Report) -> None:
    option = f" --state-dir {state.root}" if state.root != DEFAULT_STATE else ""
    for name, text in (
        ("endpoint", f"{endpoint} (process {pid}: all AWS APIs, functions, queues and jobs)"),
        ("outputs", str(state.stack_file)),
        ("logs", f"{state.log_file}; to follow: python -m local logs -f{option}"),
        ("stop", f"python -m local down{option}"),
    ):
        report(f"  {name:<9} {text}")
