"""The Python Shell job: a run's metrics files become DynamoDB items, behind the version fence.

These modules, and what they import of the package, run on Python 3.9 with boto3 and pyarrow and nothing else.
"""
