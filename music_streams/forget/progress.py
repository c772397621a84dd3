"""What a run that forgets users has done to the kept files: ``erased.json`` in the run's folder."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from music_streams.aws.json_objects import read_json, write_json
from music_streams.state.run_files import RunFolder

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_NAME = "erased.json"
_WHAT_TO_DO = "delete it: every file is read again then, and those that were deleted whole are not reported again"


@dataclass(frozen=True)
class Deleted:
    """A file that was deleted whole.

    Attributes:
        object: its URI, for people.
        why: why its lines could not be looked through or taken out, a sentence without its end.
    """

    object: str
    why: str


@dataclass
class Erased:
    """The notes, by source_id. Only `done` was always there; each of the others is left out where it is empty.

    Attributes:
        done: files that need no further look.
        doomed: files that are to be deleted whole; noted before the first version goes, so that a repeat knows of it.
        slow: files that ran out of time beside others, or late in an invocation: each is looked at alone.
        failed: files that raised an error: they come after all others.
    """

    done: set[str] = field(default_factory=set)
    doomed: dict[str, Deleted] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    @property
    def deleted(self) -> dict[str, Deleted]:
        """The files that were deleted whole."""
        return {source_id: deleted for source_id, deleted in self.doomed.items() if source_id in self.done}

    def finish(self, source_ids: set[str]) -> None:
        """Note that these need no further look."""
        self.done |= source_ids
        self.slow -= source_ids
        self.failed -= source_ids


def write_erased(s3: "S3Client", folder: RunFolder, erased: Erased) -> None:
    """Write the notes into the run's folder."""
    content: dict[str, Any] = {"done": sorted(erased.done)}
    if erased.doomed:
        content["deleted"] = {source_id: asdict(each) for source_id, each in sorted(erased.doomed.items())}
    content |= {name: sorted(ids) for name, ids in (("slow", erased.slow), ("failed", erased.failed)) if ids}
    write_json(s3, folder.bucket, folder.key(_NAME), content)


def read_erased(s3: "S3Client", folder: RunFolder) -> Erased:
    """Read the notes; empty ones where there are none yet.

    Raises:
        DamagedObject: they cannot be read.
    """
    # Looked for in the list: who may only list runs/ hears 403, not 404, of an object that is not there.
    if not s3.list_objects_v2(Bucket=folder.bucket, Prefix=folder.key(_NAME)).get("KeyCount"):
        return Erased()
    return read_json(s3, folder.bucket, folder.key(_NAME), _erased, _WHAT_TO_DO)


def _erased(found: dict[str, Any]) -> Erased:
    doomed = {source_id: Deleted(each["object"], each["why"]) for source_id, each in found.get("deleted", {}).items()}
    return Erased(set(found["done"]), doomed, set(found.get("slow", [])), set(found.get("failed", [])))
