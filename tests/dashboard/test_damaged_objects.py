"""If an object in a bucket is damaged, pages show everything else."""

import pytest

from tests.dashboard.conftest import TODAY, ago

RUN = "20261122T141800000Z"


@pytest.mark.parametrize("body", [b"not json", b"{}", b"[]", b'{"verdict": 1, "detail": [], "what_to_do": {}}'])
def test_a_damaged_object_breaks_no_page(pipeline, browser, caplog, body):
    source = pipeline.put("incoming/bad.csv", "QUARANTINED", ago(50), reason="missing_columns")
    reason = source.kept_key("quarantine").rsplit("/", 1)[0] + "/reason.json"
    reports = ["reports/latest.json", f"reports/reconcile/{TODAY}/{RUN}.json", f"reports/days/{TODAY}.json"]
    for key in reports:
        pipeline.stack.s3.put_object(Bucket="lake", Key=key, Body=body)
    pipeline.stack.s3.put_object(Bucket="landing", Key=reason, Body=body)
    for address in ("/", "/files", "/files?state=LATE", f"/files/{source.source_id}"):
        browser.get(address)
    browser.get(f"/reconciliations/{RUN}", 404)
    damaged = {record.getMessage().partition(" is damaged: ")[0] for record in caplog.records}
    assert damaged >= {*(f"s3://lake/{key}" for key in reports), f"s3://landing/{reason}"}
