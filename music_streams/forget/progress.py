"""Progress of a run that erases users from files: ``erased.json`` in the run's folder."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from music_streams.aws.json_objects import read_json, write_json
from music_streams.state.run_files import RunFolder

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_NAME = "erased.json"
_WHAT_TO_DO = "delete it: every file is then read again, and files that were deleted are not reported again"


@dataclass(frozen=True)
class FileToDelete:
    """A file to delete with all its versions.

    Attributes:
        object: its URI.
        why: why it could not be searched or lines not be removed; a sentence without a full stop.
    """

    object: str
    why: str


@dataclass
class ErasureProgress:
    """The files by source_id. The JSON always has `done`; older JSON lacks the others, and empty ones are left out.

    Attributes:
        done: files that are finished.
        to_delete: files to delete, recorded before the first version is deleted, so that a retry reports them.
        slow: files that ran out of time next to others or late in an invocation: each is searched alone.
        failed: files that raised an error: they are retried after all others.
    """

    done: set[str] = field(default_factory=set)
    to_delete: dict[str, FileToDelete] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def deleted(self) -> dict[str, FileToDelete]:
        """Return the files that were deleted."""
        return {source_id: deleted for source_id, deleted in self.to_delete.items() if source_id in self.done}

    def finish(self, source_ids: set[str]) -> None:
        """Record that these files are finished."""
        self.done |= source_ids
        self.slow -= source_ids
        self.failed -= source_ids


def write_erased(s3: "S3Client", folder: RunFolder, erased: ErasureProgress) -> None:
    """Write the progress into the run's folder."""
    content: dict[str, Any] = {"done": sorted(erased.done)}
    if erased.to_delete:
        content["deleted"] = {source_id: asdict(file) for source_id, file in sorted(erased.to_delete.items())}
    content |= {name: sorted(ids) for name, ids in (("slow", erased.slow), ("failed", erased.failed)) if ids}
    write_json(s3, folder.bucket, folder.key(_NAME), content)


def read_erased(s3: "S3Client", folder: RunFolder) -> ErasureProgress:
    """Return the progress; empty if there is none yet. Raises DamagedObject if it cannot be read."""
    # List first: with permission to list only runs/, S3 answers 403, not 404, for a missing object.
    if not s3.list_objects_v2(Bucket=folder.bucket, Prefix=folder.key(_NAME)).get("KeyCount"):
        return ErasureProgress()
    return read_json(s3, folder.bucket, folder.key(_NAME), _erased, _WHAT_TO_DO)


def _erased(content: dict[str, Any]) -> ErasureProgress:
    files = content.get("deleted", {}).items()
    to_delete = {source_id: FileToDelete(file["object"], file["why"]) for source_id, file in files}
    slow, failed = (set(content.get(name, [])) for name in ("slow", "failed"))
    return ErasureProgress(set(content["done"]), to_delete, slow, failed)
