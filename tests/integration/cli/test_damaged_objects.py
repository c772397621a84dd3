"""Commands continue if an object of the pipeline is damaged, and name the object."""

import json

import pytest

from tests.integration.cli.conftest import BATCH, source

REASON = source("refused.csv").kept_key("quarantine").rsplit("/", 1)[0] + "/reason.json"
COMMANDS = {
    "status": ("lake", "reports/latest.json"),
    "quarantine list": ("landing", REASON),
    "show refused.csv": ("landing", REASON),
    "show good.csv": ("lake", f"runs/{BATCH}/summary.json"),
    f"show {BATCH}": ("lake", f"runs/{BATCH}/manifest.json"),
}


@pytest.fixture
def damage(stack):
    """Replace an object until the test ends."""
    undo = []

    def put(bucket: str, key: str, body: bytes) -> None:
        found = stack.s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents")
        before = stack.s3.get_object(Bucket=bucket, Key=key)["Body"].read() if found else None
        undo.append((bucket, key, before))
        stack.s3.put_object(Bucket=bucket, Key=key, Body=body)

    yield put
    for bucket, key, before in undo:
        if before is None:
            stack.s3.delete_object(Bucket=bucket, Key=key)
        else:
            stack.s3.put_object(Bucket=bucket, Key=key, Body=before)


@pytest.mark.parametrize("body", [b"not json", b"{}", b'{"verdict": 1, "detail": [], "what_to_do": {}}'])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_continues_and_names_the_damaged_object(run, damage, caplog, command, body):
    bucket, key = COMMANDS[command]
    before = run(*command.split(), "--json")
    damage(bucket, key, body)
    for options in ((), ("--json",)):
        caplog.clear()
        ended = run(*command.split(), *options)
        assert ended.exit_code == 0, ended.stderr
        assert [f"s3://{bucket}/{key} is damaged: " in record.getMessage() for record in caplog.records] == [True]
    assert before.exit_code == 0
    json.loads(ended.stdout)
