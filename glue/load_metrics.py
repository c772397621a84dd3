"""Glue Python Shell job load-metrics: the entry point, on Python 3.9. What it does is in music_streams.load."""

import logging
from argparse import ArgumentParser

from music_streams import aws
from music_streams.load.job import run

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
logging.getLogger("music_streams").setLevel(logging.INFO)

parser = ArgumentParser(allow_abbrev=False)
parser.add_argument("--manifest", required=True, help="URI of the batch's manifest")
parser.add_argument("--transform_run_id", required=True, help="the job run that made the metrics")
parser.add_argument("--files_table", required=True)
parser.add_argument("--metrics_table", required=True)
arguments, _given_by_glue = parser.parse_known_args()

run(
    aws.client("s3"),
    aws.dynamodb(),
    arguments.manifest,
    arguments.transform_run_id,
    arguments.files_table,
    arguments.metrics_table,
)
