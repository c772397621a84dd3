"""The service that a request is for."""

import functools

from moto.moto_server.werkzeug_app import DomainDispatcherApplication


def remember_services() -> None:
    """Moto lists its own folder for each request and tries its patterns one by one, all under one lock."""
    find = DomainDispatcherApplication.get_backend_for_host
    DomainDispatcherApplication.get_backend_for_host = functools.lru_cache(maxsize=256)(find)
