"""Entry point of the Glue Python Shell job load-metrics, on Python 3.9; the job is in music_streams.load."""

from argparse import ArgumentParser

from music_streams.aws import clients, logs
from music_streams.load.job import run

parser = ArgumentParser(allow_abbrev=False)
parser.add_argument("--manifest", required=True, help="URI of the batch's manifest")
parser.add_argument("--execution", required=True, help="name of the state machine's execution")
parser.add_argument("--transform_run_id", required=True, help="id of the job run that computed the metrics")
parser.add_argument("--files_table", required=True)
parser.add_argument("--metrics_table", required=True)
arguments, _glue_arguments = parser.parse_known_args()

logs.write_job_lines("load-metrics", **logs.of_execution(arguments.execution))
run(
    clients.client("s3"),
    clients.dynamodb(),
    arguments.manifest,
    arguments.transform_run_id,
    arguments.files_table,
    arguments.metrics_table,
)
