"""Render pages from templates."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from music_streams import clock, display
from music_streams.operate.health import Health
from music_streams.stack import Stack
from music_streams.state.statuses import UNPUBLISHED, Status
from music_streams_airflow.dashboard import text
from music_streams_airflow.dashboard.guard import Login
from music_streams_airflow.dashboard.listing import LANDED

_FOLDER = Path(__file__).parent / "templates"
_COMMAND_LINE = "command line"


def page(request: Request, name: str, stack: Stack, now: datetime, **content: object) -> HTMLResponse:
    """Render a page about the pipeline."""
    target = stack.policy.latency_sla_seconds
    return _rendered(request, 200, name, where=stack.where, now=now, target_seconds=target, **content)


def error_page(
    request: Request, status: int, title: str, message: str, details: Sequence[str] = (), next_steps: Sequence[str] = ()
) -> HTMLResponse:
    """Render an error."""
    steps = [text.step(step) for step in next_steps]
    return _rendered(request, status, "error", title=title, message=message, details=details, next_steps=steps)


def login_required(request: Request, status: int, detail: str, login: Login) -> HTMLResponse:
    """Render the page for somebody who is not logged in."""
    script = _text("login_required.js") if login.is_kept_by_page else ""
    return _self_contained(request, status, "login_required", script, detail=detail, address=request.url.path)


def access_denied(request: Request, detail: str) -> HTMLResponse:
    """Render the page for a logged-in user who may not see the dashboard."""
    return _self_contained(request, 403, "access_denied", detail=detail)


def _self_contained(request: Request, status: int, name: str, script: str = "", **content: object) -> HTMLResponse:
    """Render a page with inline style and script, because their addresses are denied to its reader too."""
    style = _text("self_contained.css")
    policy = f"default-src 'none'; style-src '{_digest(style)}'; base-uri 'none'; frame-ancestors 'self'"
    if script:
        policy += f"; script-src '{_digest(script)}'"
    response = _rendered(request, status, name, style=style, script=script, **content)
    response.headers["Content-Security-Policy"] = policy
    return response


def _text(name: str) -> str:
    return (_FOLDER / name).read_text()


def _rendered(request: Request, status: int, name: str, **content: object) -> HTMLResponse:
    root: str = request.scope.get("root_path", "")
    template = _environment().get_template(f"{name}.html.j2")
    return HTMLResponse(template.render(root=root, airflow=root.removesuffix("/music-streams"), **content), status)


def _digest(content: str) -> str:
    """Return the hash by which a content security policy allows an inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(_FOLDER)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        visible=text.visible,
        short=text.shortened,
        file_name=text.name,
        number=lambda count: f"{count:,}",
        plural=display.plural,
        counts=display.counts,
        size=display.size,
        dollars=display.dollars,
        span=display.span,
        seconds=display.seconds,
        percent=lambda share: f"{100 * share:.1f} %",
        timestamp=_timestamp,
        value=_value,
        query=_query,
        linked_sentence=_linked_sentence,
        segment=lambda name: quote(name, safe=""),
    )
    environment.tests.update(displayable=text.is_displayable)
    environment.globals.update(age=display.age, is_dag_run=lambda by: by != _COMMAND_LINE)
    return environment


def _linked_sentence(health: Health, root: str) -> Markup:
    """Return the health sentence with a link from each number of files to their list."""
    waiting = len(health.waiting)
    lists = {
        f"{display.plural(len(health.failed), 'file')} failed": [Status.FAILED],
        "1 file has waited" if waiting == 1 else f"{waiting:,} files are waiting": [LANDED, *UNPUBLISHED],
        f"{display.plural(health.to_archive, 'file')} to archive": [Status.PUBLISHED],
        f"{display.plural(health.quarantined, 'file')} quarantined in the last 24 h": [Status.QUARANTINED],
    }
    level, _, rest = health.sentence.partition(":")
    sentence = escape(text.visible(rest))
    for phrase, statuses in lists.items():
        link = Markup('<a href="{}/files?{}">{}</a>').format(root, _query({"status": statuses}), phrase)
        sentence = sentence.replace(phrase, link, 1)
    return Markup("<strong>{}:</strong> {}").format(level, sentence)


def _timestamp(value: str | datetime) -> str:
    """Return ``2026-11-21 21:03:25``, in UTC, as the page says once; a dash if unknown, as for an orphan."""
    try:
        instant = clock.parse(value) if isinstance(value, str) else value
    except ValueError:
        return "–"
    return instant.strftime("%Y-%m-%d %H:%M:%S")


def _value(number: float | None) -> str:
    if number is None:
        return "–"
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def _query(parameters: dict[str, Any]) -> str:
    return urlencode(parameters, doseq=True)
