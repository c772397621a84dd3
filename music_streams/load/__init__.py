"""The Python Shell job: writes a run's metrics files to DynamoDB as items, protected by the version fence.

These modules, and what they import from the package, run on Python 3.9 with boto3 and pyarrow only.
"""
