"""How a resource type declares which properties it supports."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from botocore.exceptions import ClientError

from local.aws import Aws, code_of
from local.errors import NotSupportedError
from local.loose_types import Json

# Why a property may have no effect here.
NO_BILLING = "nothing is billed or reported here"
NO_ENCRYPTION = "data does not leave this machine"
NO_PERMISSIONS = "permissions are not enforced here"
NO_ALARMS = "alarms are recorded and never evaluated here"
NO_TRACES = "there is no tracing here"
ONE_LOG = "output goes to the cloud's log and to CloudWatch Logs as it is printed"


@dataclass(frozen=True)
class Resource:
    """A resource of the template with resolved properties."""

    logical_id: str
    type: str
    properties: Mapping[str, Json]

    def unsupported(self, feature: str) -> NotSupportedError:
        """Return the error to raise for something that is not supported."""
        return NotSupportedError(self.logical_id, self.type, feature)

    def chosen(self, *names: str) -> dict[str, Json]:
        """Return those of the named properties that are set."""
        return {name: self.properties[name] for name in names if name in self.properties}


@dataclass(frozen=True)
class Physical:
    """The values of `Ref` and `Fn::GetAtt` of a created resource."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """The stack in which resources are created."""

    aws: Aws
    name: str
    account: str

    def call(self, service: str, operation: str, **parameters: Json) -> dict[str, Json]:
        """Call an AWS API with values as the template has them."""
        return self.aws.call(service, operation, **parameters)

    def apply(self, resource: Resource, name: str, service: str, operation: str, **identity: Json) -> None:
        """Call an operation that sets the property of the same name, if the template has it."""
        if name in resource.properties:
            self.call(service, operation, **identity, **resource.chosen(name))

    def found(self, service: str, operation: str, *codes: str, **parameters: Json) -> dict[str, Json] | None:
        """Return the result of a call that describes something; None if it fails with a code for "not found"."""
        try:
            return self.call(service, operation, **parameters)
        except ClientError as error:
            if code_of(error) in codes:
                return None
            raise

    def physical_name(self, resource: Resource, name_property: str, limit: int = 64) -> str:
        """Return the name in the template, or stack and logical id: the same at every deployment."""
        return str(resource.properties.get(name_property) or f"{self.name}-{resource.logical_id}")[:limit]

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN in the stack's region and account."""
        return f"arn:aws:{service}:{self.aws.region}:{self.account}:{rest}"


Create = Callable[[Stack, Resource], Physical]


@dataclass(frozen=True)
class Kind:
    """A resource type: how to create or update it, and which properties it supports or ignores."""

    create: Create
    supported: frozenset[str]
    ignored: frozenset[str]

    def check(self, resource: Resource) -> None:
        """Raise NotSupportedError for a property that is neither supported nor ignored on purpose."""
        if unknown := sorted(set(resource.properties) - self.supported - self.ignored):
            raise resource.unsupported(f"property {', '.join(unknown)}")


KINDS: dict[str, Kind] = {}


def resource_type(
    name: str, *, supported: Iterable[str] = (), ignored: Mapping[str, Iterable[str]] | None = None
) -> Callable[[Create], Create]:
    """Register the decorated function, which creates or updates resources of the type.

    ignored: properties that have no effect here, by the reason why that is acceptable.
    """

    def register(create: Create) -> Create:
        KINDS[name] = Kind(create, frozenset(supported), frozenset(chain.from_iterable((ignored or {}).values())))
        return create

    return register
