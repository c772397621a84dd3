"""Creates the AWS resources to which an event refers, and reads the results."""

import json
from typing import Any

from music_streams.aws import clients
from music_streams.run.executions import Executions
from music_streams.state.run_files import (
    LoadReport,
    Manifest,
    ManifestSource,
    RunFolder,
    Summary,
    write_claimed,
    write_load_report,
    write_manifest,
    write_result,
    write_summary,
)
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from tests.entries import entry_item
from tests.events.cases import DAY, Case, SourceState, source_in_file, version_in_file
from tests.events.messages import ARRIVED_AT, EXECUTIONS, LAKE, LANDING, MACHINE, RUN_ID

HEADER = ["user_id", "track_id", "listen_time"]
HELD = {Status.RUNNING, Status.PUBLISHED, Status.ARCHIVED}  # by an execution


class Scene:
    """The objects, ledger entries and run folder of one case; clients use the process's endpoint and credentials."""

    def __init__(self, case: Case, files_table: str) -> None:
        self._case = case
        self._table = files_table
        self._s3 = clients.client("s3")
        self._dynamodb = clients.dynamodb()
        self._sources = {key: self._upload(key, content) for key, content in case.objects.items()}
        for key, state in case.before.items():
            self._put_entry(self._sources[key], state)
        if case.before:
            self._put_run()
        if case.is_stopped:
            self._stop_execution()

    def event(self) -> dict[str, Any]:
        """Return the case's event with the actual ids of object versions and sources."""
        text = json.dumps(self._case.event)
        for key, source in self._sources.items():
            text = text.replace(version_in_file(key), source.version_id)
            text = text.replace(source_in_file(key), source.source_id)
        return dict(json.loads(text))

    def statuses(self) -> dict[str, Status | None]:
        """Return the statuses of the sources in `Case.after`."""
        return {key: self._status(key) for key in self._case.after}

    def _upload(self, key: str, content: bytes) -> Source:
        version_id = self._s3.put_object(Bucket=LANDING, Key=key, Body=content, Tagging="producer=test")["VersionId"]
        return Source(LANDING, key, version_id, len(content), ARRIVED_AT)

    def _put_entry(self, source: Source, state: SourceState) -> None:
        batch_id = self._case.batch_id
        kept_key = source.kept_key(state.kept) if state.kept else ""
        if kept_key:
            self._s3.copy_object(Bucket=source.bucket, Key=kept_key, CopySource=source.s3_arguments)
            self._s3.delete_object(**source.s3_arguments)
        item = entry_item(
            source,
            updated_at=source.received_at,
            status=state.status,
            treatment=state.treatment,
            archive_key=kept_key,
            batch_id=batch_id,
            execution_arn=f"{EXECUTIONS}:{batch_id}-1" if state.status in HELD else "",
        )
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def _put_run(self) -> None:
        batch_id = self._case.batch_id
        folder = RunFolder(LAKE, batch_id)
        listed = [
            ManifestSource(source.source_id, source.kind, f"{source.source_id}.csv", HEADER, ARRIVED_AT, source.size)
            for source in self._sources.values()
        ]
        sources = sorted(listed, key=lambda source: source.source_id)
        manifest = Manifest(batch_id, sources, forget=self._case.forget)
        write_manifest(self._s3, folder, manifest)
        if any(state.status in HELD for state in self._case.before.values()):
            write_claimed(self._s3, folder, f"{batch_id}-1", manifest)
        outcomes = {self._sources[key].source_id: outcome for key, outcome in self._case.outcomes.items()}
        forgotten = manifest.source_ids if self._case.forget else []
        summary = Summary(batch_id, f"{batch_id}-1", 1, "lake", [DAY], f"metrics/{RUN_ID}", outcomes, forgotten)
        write_result(self._s3, folder, RUN_ID, summary)
        write_load_report(self._s3, folder, RUN_ID, LoadReport(items_written=4, items_refused=0))
        if self._case.function == "erase":  # which runs after settle
            write_summary(self._s3, folder, summary)

    def _stop_execution(self) -> None:
        step_functions = clients.client("stepfunctions")
        executions = Executions(step_functions, MACHINE)
        executions.start(RunFolder(LAKE, self._case.batch_id), 1)
        step_functions.stop_execution(executionArn=executions.arn(self._case.batch_id, 1))

    def _status(self, key: str) -> Status | None:
        source = self._sources.get(key) or Source(LANDING, key, version_in_file(key), 0, ARRIVED_AT)
        item = self._dynamodb.get_item(TableName=self._table, Key={"source_id": source.source_id}).get("Item")
        return Status(item["status"]) if item else None
