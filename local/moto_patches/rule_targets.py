"""EventBridge and Lambda: how events and invocations reach functions."""

from moto.awslambda.models import LambdaFunction
from moto.events.models import Rule

from local.loose_types import Moto
from local.moto_patches.hooks import Hooks


def deliver_events(hooks: Hooks) -> None:
    """Moto delivers to few targets, ignores Input and that a rule is disabled, and raises in the sender's thread."""

    def send_to_targets(self: Moto, original_event: Moto, transform_input: bool = True) -> None:  # noqa: ARG001
        hooks.deliver(self, original_event)

    Rule.send_to_targets = send_to_targets


def invoke_functions(hooks: Hooks) -> None:
    """Moto runs functions in containers."""

    def invoke(self: Moto, body: Moto, request_headers: Moto, response_headers: Moto) -> bytes:
        payload = body.encode() if isinstance(body, str) else (body or b"")
        return hooks.invoke(self, payload, request_headers, response_headers)

    LambdaFunction.invoke = invoke
