"""Cannot be imported."""

import a_module_that_does_not_exist  # type: ignore[import-not-found]  # on purpose


def handler(event, context):
    return a_module_that_does_not_exist
