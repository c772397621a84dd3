"""Run a warm-up script and wait for its JVM to end, which then writes its archive: `spark_warm_up FILE`."""

import runpy
import sys

from pyspark import SparkContext


def main(script: str) -> None:
    """Run the script; return when the JVM has ended."""
    runpy.run_path(script, run_name="__main__")
    gateway = SparkContext._gateway  # pyspark has no public access to the JVM's process
    if gateway is None:
        raise RuntimeError(f"{script} did not start Spark")
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(sys.argv[1])
