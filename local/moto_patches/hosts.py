"""Which service a request is for."""

import functools

from moto.moto_server.werkzeug_app import DomainDispatcherApplication


def remember_services() -> None:
    """For each request moto lists its own folder and tries its patterns one by one, all under one lock."""
    find = DomainDispatcherApplication.get_backend_for_host
    DomainDispatcherApplication.get_backend_for_host = functools.lru_cache(maxsize=256)(find)
