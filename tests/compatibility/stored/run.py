"""The run of the fixtures, and the outcomes of its two sources."""

from music_streams.state.run_files import RunFolder, SourceOutcome, Summary
from tests.compatibility.stored.sources import PACKED, PLAYS
from tests.compatibility.world import ACCOUNT, LAKE, REGION

DAY, NEXT_DAY = "2024-06-25", "2024-06-26"
BATCH = "0123456789abcdef0123456789abcdef"
FOLDER = RunFolder(LAKE, BATCH)
EXECUTION = f"{BATCH}-1"
EXECUTIONS = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:process-streams"
ARN = f"{EXECUTIONS}:{EXECUTION}"
RUN = "jr_0123456789abcdef"
TRACK = "4dBa8T7oDV9WvGr7kVS4Ez"
GOOD = SourceOutcome(10, 8, {"duplicate": 1, "unknown_track": 1}, [DAY, NEXT_DAY])
BAD = SourceOutcome(4, 0, {"bad_user_id": 3}, [], "too_many_bad_rows")
JOB_RUN = {"Id": RUN, "JobName": "a-job", "JobRunState": "SUCCEEDED", "ExecutionTime": 74, "MaxCapacity": 2.0}
OUTCOMES = {PLAYS.source_id: GOOD, PACKED.source_id: BAD}
SETTLED = Summary(BATCH, EXECUTION, 7, "lake-1", [DAY, NEXT_DAY], f"metrics/{RUN}", OUTCOMES, [PLAYS.source_id])
