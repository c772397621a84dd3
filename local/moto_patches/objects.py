"""S3."""

import functools
import threading
from collections.abc import Iterator
from urllib.parse import quote

from moto.core.responses import ActionResult
from moto.moto_server.utilities import RegexConverter
from moto.s3 import notifications
from moto.s3.exceptions import PreconditionFailed
from moto.s3.models import FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.responses import S3Response

from local.loose_types import Moto
from local.moto_patches.hooks import Hooks
from local.moto_patches.locking import under_lock

OBJECTS = threading.RLock()


def lock_objects() -> None:
    """Moto reads a key's versions and writes them back in two steps: two writers of a key lose a version."""
    under_lock(S3Backend, ("put_object", "delete_object"), OBJECTS)


def list_versions_without_content() -> None:
    """Moto copies all objects of a bucket with their content to list the versions of one key, and keeps the copies."""
    FakeKey.__deepcopy__ = lambda version, _copied: _same_fields(version, _ListedVersion)
    FakeDeleteMarker.__deepcopy__ = lambda marker, _copied: _same_fields(marker, FakeDeleteMarker)


class _ListedVersion(FakeKey):  # type: ignore[misc]  # moto is untyped
    """A version in a list. Its content stays with the object."""

    def __del__(self) -> None:
        pass


def _same_fields(original: Moto, kind: type) -> Moto:
    # Calling the class would add the copy to moto's list of all instances.
    copy: Moto = object.__new__(kind)
    copy.__dict__.update(original.__dict__)
    return copy


def escape_keys_of_versions() -> None:
    """Moto ignores encoding-type when it lists versions: a control character in a key makes the XML invalid."""
    respond = S3Response.list_object_versions

    @functools.wraps(respond)
    def list_object_versions(self: Moto) -> Moto:
        serialize = self.serialized

        def with_escaped_keys(response: Moto) -> Moto:
            listed = response.result
            for holder, name in _texts_of_versions(listed):
                if holder.get(name):
                    holder[name] = quote(holder[name])
            return serialize(ActionResult({**listed, "EncodingType": "url"}))

        if self.querystring.get("encoding-type") == ["url"]:
            self.serialized = with_escaped_keys
        return respond(self)

    S3Response.list_object_versions = list_object_versions


def _texts_of_versions(listed: Moto) -> Iterator[tuple[Moto, str]]:
    """Yield where S3 escapes in a list of versions: the maps, and the names in them."""
    for name in ("Delimiter", "KeyMarker", "NextKeyMarker", "Prefix"):
        yield listed, name
    for version in (*listed["Versions"], *listed["DeleteMarkers"]):
        yield version, "Key"
    for prefix in listed.get("CommonPrefixes", ()):
        yield prefix, "Prefix"


def check_copy_preconditions() -> None:
    """Moto ignores CopySourceIfMatch."""
    respond = S3Response.copy_object
    copy = S3Backend.copy_object
    condition = threading.local()

    @functools.wraps(respond)
    def copy_object(self: Moto) -> Moto:
        condition.etag = self.headers.get("x-amz-copy-source-if-match")
        return respond(self)

    @functools.wraps(copy)
    def copy_if_matching(self: Moto, src_key: Moto, *args: Moto, **kwargs: Moto) -> None:
        etag = getattr(condition, "etag", None)
        if etag is not None and etag.strip('"') != src_key.etag.strip('"'):
            raise PreconditionFailed(failed_condition="x-amz-copy-source-If-Match")
        copy(self, src_key, *args, **kwargs)

    S3Response.copy_object = copy_object
    S3Backend.copy_object = copy_if_matching


def accept_newlines_in_keys() -> None:
    """Moto's routes do not match a key that contains a line feed."""
    original = RegexConverter.__init__

    @functools.wraps(original)
    def match_line_feeds(self: Moto, *args: Moto) -> None:
        original(self, *args)
        self.regex = f"(?s:{self.regex})"

    RegexConverter.__init__ = match_line_feeds


def send_object_events(hooks: Hooks) -> None:
    """Moto's object events differ from those of AWS in names, times and identifiers."""
    notifications._send_event_bridge_message = hooks.publish_object_event
