"""How a resource type says what it does with each of its properties."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from botocore.exceptions import ClientError

from local.aws import Aws, code_of
from local.errors import NotHonouredError
from local.loose_types import Json

# Why a property may be ignored without misleading anyone.
NO_BILLING = "nothing is billed or reported here"
NO_ENCRYPTION = "data does not leave this machine"
NO_PERMISSIONS = "permissions are not enforced here"
NO_ALARMS = "alarms are recorded and never evaluated here"
NO_TRACES = "there is no tracing here"
ONE_LOG = "output goes to the one log and to CloudWatch Logs as it is printed"


@dataclass(frozen=True)
class Resource:
    """One resource of the template, its properties resolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Json]

    def refuse(self, what: str) -> NotHonouredError:
        """The error to raise for what cannot be honoured."""
        return NotHonouredError(self.logical_id, self.type, what)

    def chosen(self, *names: str) -> dict[str, Json]:
        """Those of the named properties that are set."""
        return {name: self.properties[name] for name in names if name in self.properties}


@dataclass(frozen=True)
class Physical:
    """What `Ref` and `Fn::GetAtt` of a created resource give."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stack:
    """Where resources are created."""

    aws: Aws
    name: str
    account: str

    def call(self, service: str, operation: str, **parameters: Json) -> dict[str, Json]:
        """An AWS API call with values as the template gives them."""
        return self.aws.call(service, operation, **parameters)

    def apply(self, resource: Resource, name: str, service: str, operation: str, **identity: Json) -> None:
        """Calls an operation that sets one property by its own name, where the template has it."""
        if name in resource.properties:
            self.call(service, operation, **identity, **resource.chosen(name))

    def found(self, service: str, operation: str, *codes: str, **parameters: Json) -> dict[str, Json] | None:
        """What a describing call answers; None where it fails by one of the codes, which mean that there is nothing."""
        try:
            return self.call(service, operation, **parameters)
        except ClientError as error:
            if code_of(error) in codes:
                return None
            raise

    def physical_name(self, resource: Resource, name_property: str, limit: int = 64) -> str:
        """The name that the template gives, or one made of stack and logical id: the same at every deployment."""
        return str(resource.properties.get(name_property) or f"{self.name}-{resource.logical_id}")[:limit]

    def arn(self, service: str, rest: str) -> str:
        """An ARN in the stack's region and account."""
        return f"arn:aws:{service}:{self.aws.region}:{self.account}:{rest}"


Create = Callable[[Stack, Resource], Physical]


@dataclass(frozen=True)
class Kind:
    """A resource type: how to create or update it, and which properties that does justice to."""

    create: Create
    honoured: frozenset[str]
    inert: frozenset[str]

    def check(self, resource: Resource) -> None:
        """Raises NotHonouredError for a property that is neither honoured nor knowingly without effect here."""
        if unknown := sorted(set(resource.properties) - self.honoured - self.inert):
            raise resource.refuse(f"property {', '.join(unknown)}")


KINDS: dict[str, Kind] = {}


def resource_type(
    name: str, *, honoured: Iterable[str] = (), inert: Mapping[str, Iterable[str]] | None = None
) -> Callable[[Create], Create]:
    """Registers the decorated function as the way to create or update resources of the type.

    inert: properties that are accepted without effect, by the reason why that is no lie.
    """

    def register(create: Create) -> Create:
        KINDS[name] = Kind(create, frozenset(honoured), frozenset(chain.from_iterable((inert or {}).values())))
        return create

    return register
