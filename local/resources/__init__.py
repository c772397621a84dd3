"""The supported resource types, one module for each service; importing a module registers its types."""

from local.resources import dynamodb, events, functions, glue, iam, kms, monitoring, s3, sns, sqs, states  # noqa: F401
from local.resources.base import KINDS, Physical, Resource, Stack

__all__ = ["KINDS", "Physical", "Resource", "Stack"]
