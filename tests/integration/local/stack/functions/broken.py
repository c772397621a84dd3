"""Does not even import."""

import a_module_that_does_not_exist  # type: ignore[import-not-found]  # that is its point


def handler(event, context):
    return a_module_that_does_not_exist
