"""The access key of a cloud: random for each start of its server, and the only one that the server accepts.

The access key id is the secret: the server compares it and verifies no signature, so whoever has it may do everything.
The secret access key exists because every SDK needs one to sign with.
"""

import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

_RANDOM_BYTES = 32
_JOB = "-job-"  # separates the key, which is hexadecimal, from a job's name


@dataclass(frozen=True)
class Credentials:
    """The access key with which a client of the cloud signs."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)

    @classmethod
    def random(cls) -> "Credentials":
        """Return credentials that nobody can guess."""
        return cls(secrets.token_hex(_RANDOM_BYTES), secrets.token_hex(_RANDOM_BYTES))

    def for_job(self, job: str) -> "Credentials":
        """Return the credentials for runs of a job: the same key, followed by the job's name."""
        return Credentials(f"{self.access_key_id}{_JOB}{quote(job, safe='')}", self.secret_access_key)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables from which every AWS SDK reads credentials."""
        return {"AWS_ACCESS_KEY_ID": self.access_key_id, "AWS_SECRET_ACCESS_KEY": self.secret_access_key}

    def environment_at(self, endpoint: str, region: str) -> dict[str, str]:
        """Return the environment variables with which every AWS SDK calls the cloud."""
        location = {"AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region}
        return {**self.environment, **location}

    @property
    def authorization(self) -> str:
        """The Authorization header for a plain HTTP client; it has no signature, since none is verified."""
        return f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/20260101/us-east-1/s3/aws4_request"


def split_access_key_id(access_key_id: str) -> tuple[str, str | None]:
    """Return the key and the name of the job that signed with it, None if no job did."""
    key, separator, job = access_key_id.partition(_JOB)
    return key, unquote(job) if separator else None
