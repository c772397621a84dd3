"""The resource types that the local cloud can stand up, a module per service."""

from local.resources import dynamodb, events, functions, glue, iam, kms, monitoring, s3, sns, sqs, states
from local.resources.base import KINDS, Kind, Physical, Resource, Stack

__all__ = [
    "KINDS",
    "Kind",
    "Physical",
    "Resource",
    "Stack",
    "dynamodb",
    "events",
    "functions",
    "glue",
    "iam",
    "kms",
    "monitoring",
    "s3",
    "sns",
    "sqs",
    "states",
]
