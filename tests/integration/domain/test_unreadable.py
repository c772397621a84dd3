"""An object whose bytes S3 refuses to return fails alone, with a reason, and delays nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from music_streams.aws import objects
from music_streams.aws.objects import Place
from music_streams.errors import ObjectGone, Unreadable
from music_streams.ingest.outcomes import Outcome
from music_streams.reconcile import stalled
from music_streams.reconcile.stalled import StalledFinder
from music_streams.state.requests import Action
from music_streams.state.sources import Source
from music_streams.state.statuses import Status
from tests.integration.domain.stored_sources import stored_entry
from tests.integration.domain.validate import Validate, ample_time, deliver, message
from tests.integration.domain.world import GOOD, LAKE, LANDING, RECEIVED_AT

REFUSALS = {  # the error codes of GET and copy, and of HEAD, which has no body
    "an archive class": ("InvalidObjectState", ""),
    "a customer's key": ("InvalidRequest", "400"),
    "another account's KMS key": ("AccessDenied", "403"),
    "a KMS key that is disabled": ("KMS.DisabledException", ""),
}


@contextmanager
def refused(world, source: Source, refusal: tuple[str, str]) -> Iterator[None]:
    """Make S3 refuse to return the bytes of a version."""
    of_bytes, of_head = refusal

    def refuse(model: Any, params: Any, **_: Any) -> None:
        path = params["headers"].get("x-amz-copy-source", params["url_path"])
        code = {"GetObject": of_bytes, "CopyObject": of_bytes, "HeadObject": of_head}.get(model.name, "")
        if code and source.name in path and "quarantine/" not in path:
            raise ClientError({"Error": {"Code": code, "Message": "refused"}}, model.name)

    world.s3.meta.events.register_first("before-call", refuse, unique_id="refuse")
    try:
        yield
    finally:
        world.s3.meta.events.unregister("before-call", unique_id="refuse")


@pytest.fixture(params=list(REFUSALS.values()), ids=list(REFUSALS))
def refusal(request) -> Any:
    return request.param


@pytest.mark.parametrize("name", ["a.csv", "a.txt"], ids=["a good key", "a bad key"])
def test_an_unreadable_file_fails_alone_and_its_message_is_deleted(world, refusal, name):
    bad, good = world.upload(key=f"incoming/{world.name('x')}-{name}"), world.upload()
    validate = Validate(world, message(bad), message(good))
    with refused(world, bad, refusal):
        validate.deliver()
    assert validate.outcomes == [Outcome.UNREADABLE, Outcome.VALID]
    assert validate.queue == []
    assert (world.status(bad), world.entry(bad).reason) == (Status.FAILED, "unreadable")
    assert world.status(good) is Status.VALID


def test_an_object_in_an_archive_storage_class_is_unreadable(world):
    key = f"incoming/{world.name('old')}.csv"
    version = world.s3.put_object(Bucket=LANDING, Key=key, Body=GOOD, StorageClass="GLACIER")["VersionId"]
    source = Source(LANDING, key, version, len(GOOD), RECEIVED_AT)
    assert deliver(world, message(source)).outcomes == [Outcome.UNREADABLE]
    assert (world.status(source), world.entry(source).reason) == (Status.FAILED, "unreadable")


def test_a_file_that_becomes_unreadable_before_it_is_staged_fails_alone(world, refusal):
    bad, good = world.upload(), world.upload()
    batch = world.intake().start_invocation(ample_time)
    assert [batch.process(message(source)) for source in (bad, good)] == [Outcome.VALID] * 2
    with refused(world, bad, refusal):
        batch.launch()
    assert (world.status(bad), world.entry(bad).reason) == (Status.FAILED, "unreadable")
    assert world.status(good) is Status.VALID


def test_errors_about_the_client_or_the_service_do_not_fail_the_file(world):
    source = world.upload()
    for code in ("SlowDown", "InternalError", "ExpiredToken", "RequestTimeTooSkewed", "SignatureDoesNotMatch"):
        with refused(world, source, (code, code)), pytest.raises(ClientError):
            world.intake(lease_seconds=-1.0).start_invocation(ample_time).process(message(source))
    assert world.status(source) is None, "its message is retried"


def test_the_error_names_the_object_and_what_to_do(world, refusal):
    source = world.upload()
    with refused(world, source, refusal):
        with pytest.raises(Unreadable, match="upload it again") as error:
            list(objects.read_chunks(world.s3, source))
        with pytest.raises(Unreadable):
            objects.copy(world.s3, source, LAKE, "x")
        assert objects.exists(world.s3, source)
        assert not objects.is_readable(world.s3, source)
    assert source.uri in str(error.value)
    assert error.value.may_lack_permission == (refusal[0] == "AccessDenied")
    assert objects.is_readable(world.s3, source)


def test_an_unreadable_file_is_redriven_once_it_can_be_read(world, refusal):
    source = world.upload()
    with refused(world, source, refusal):
        deliver(world, message(source))
        assert stalled_finder(world).is_unreadable(world.entry(source))
        assert stalled_finder(world).of(world.entry(source)) is None
    repair = stalled_finder(world).of(world.entry(source))
    assert repair is not None
    assert deliver(world, repair.message).outcomes == [Outcome.RENEWED]
    assert (world.status(source), world.entry(source).attempt) == (Status.VALID, 2)


@pytest.mark.parametrize(("status", "action"), [(Status.FAILED, Action.REDRIVE), (Status.ARCHIVED, Action.REPLAY)])
def test_a_new_attempt_of_a_file_that_is_still_unreadable_changes_nothing(world, refusal, status, action):
    entry = stored_entry(world, status, reason="unreadable")
    before = world.item(entry.source)
    with refused(world, entry.source, refusal):
        assert deliver(world, stalled.request_message(entry, action)).outcomes == [Outcome.UNREADABLE]
    assert world.item(entry.source) == before


@pytest.mark.parametrize("name", ["a.csv", "a.txt"], ids=["a good key", "a bad key"])
def test_an_invalid_version_id_counts_as_gone(world, name):
    source = world.upload(key=f"incoming/{world.name('x')}-{name}")
    with refused(world, source, ("InvalidArgument", "400")):
        assert deliver(world, message(source)).outcomes == [Outcome.GONE]
        assert (world.status(source), world.entry(source).reason) == (Status.FAILED, "object_gone")
        found = stalled_finder(world)
        assert (found.is_gone(world.entry(source)), found.of(world.entry(source))) == (True, None)


@pytest.mark.parametrize(
    ("of_bytes", "of_head"), [("NoSuchKey", "404"), ("NoSuchVersion", "404"), ("MethodNotAllowed", "405")]
)
def test_a_deleted_version_is_gone_with_every_error_code_and_the_others_continue(world, of_bytes, of_head):
    bad, good = world.upload(), world.upload()
    with refused(world, bad, (of_bytes, of_head)):
        with pytest.raises(ObjectGone):
            list(objects.read_chunks(world.s3, bad))
        with pytest.raises(ObjectGone):
            objects.copy(world.s3, bad, LAKE, "x")
        assert not objects.exists(world.s3, bad)
        assert not objects.is_readable(world.s3, bad)
        assert deliver(world, message(bad), message(good)).outcomes == [Outcome.GONE, Outcome.VALID]
    assert (world.status(bad), world.entry(bad).reason) == (Status.FAILED, "object_gone")


def test_an_invalid_argument_without_a_version_is_an_error(world):
    source = world.upload()
    with refused(world, source, ("InvalidArgument", "InvalidArgument")):
        assert not objects.exists(world.s3, source)
        with pytest.raises(ClientError, match="InvalidArgument"):
            objects.exists(world.s3, Place(source.bucket, source.key, ""))


def stalled_finder(world) -> StalledFinder:
    return StalledFinder(world.s3, world.ledger, world.state_machine, LANDING, 0)
