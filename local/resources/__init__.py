"""The resource types that the local cloud can stand up, a module per service, each of which registers its own."""

from local.resources import dynamodb, events, functions, glue, iam, kms, monitoring, s3, sns, sqs, states  # noqa: F401
from local.resources.base import KINDS, Physical, Resource, Stack

__all__ = ["KINDS", "Physical", "Resource", "Stack"]
