"""Runs a warm-up script to the end of its JVM, which is when that writes its archive: `spark_warm_up FILE`."""

import runpy
import sys

from pyspark import SparkContext


def main(script: str) -> None:
    """Returns when the JVM has ended."""
    runpy.run_path(script, run_name="__main__")
    gateway = SparkContext._gateway  # the JVM's process is nowhere else
    if gateway is None:
        raise RuntimeError(f"{script} started no Spark")
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(sys.argv[1])
