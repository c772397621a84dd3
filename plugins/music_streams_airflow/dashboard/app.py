"""The dashboard's routes. They only read: to change something, the page makes Airflow start a DAG run.

Every route, style and script included, first asks Airflow who is logged in and whether that user may read the DAG
reconcile_streams.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.params import Path as InPath
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from music_streams import stack as stacks
from music_streams.errors import MusicStreamsError, NoPipeline
from music_streams.stack import Stack
from music_streams_airflow.dashboard import lineage, listing, overview, reconciliations, templates
from music_streams_airflow.dashboard.guard import RECONCILER, Login, MayNotRead
from music_streams_airflow.dashboard.pipeline import Pipeline

_STATIC = Path(__file__).parent / "static"
_FILES = {
    "dashboard.css": _STATIC / "dashboard.css",
    "dashboard.js": _STATIC / "dashboard.js",
    "chart.umd.min.js": _STATIC / "vendor" / "chart.umd.min.js",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

SourceId = Annotated[str, InPath(pattern="^[0-9a-f]{32}$")]
RunName = Annotated[str, InPath(pattern=r"^\d{8}T\d{9}Z$")]
Name = Annotated[str, Query(max_length=250)]
_Value = TypeVar("_Value")


def create_app(
    login: Login,
    find_stack: Callable[[], Stack] = stacks.find_stack,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """Create the app.

    Args:
        login: gets the user of a request.
        find_stack: finds the pipeline, or raises NoPipeline.
        now: returns the current time, in UTC.
    """
    # FastAPI's own pages (docs_url, …) would need no login.
    app = FastAPI(
        title="music-streams",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(login.get_user)],
    )
    pipeline = Pipeline(find_stack)
    _add_pages(app, pipeline, now)
    _add_refusals(app, pipeline, login)

    @app.middleware("http")
    async def guard_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return app


def _or_404(value: _Value | None, detail: str) -> _Value:
    """Return the value; None becomes a 404 response."""
    if value is None:
        raise HTTPException(404, detail)
    return value


def _add_pages(app: FastAPI, pipeline: Pipeline, now: Callable[[], datetime]) -> None:
    @app.get("/")
    def first_page(request: Request) -> HTMLResponse:
        stack = pipeline.stack()
        return templates.page(request, "overview", stack, now(), page=overview.read(stack, now()))

    @app.get("/files")
    def files(request: Request, choice: Annotated[listing.ListingChoice, Query()]) -> HTMLResponse:
        stack = pipeline.stack()
        return templates.page(request, "files", stack, now(), choice=choice, page=listing.read(stack, choice))

    @app.get("/files/{source_id}")
    def file(request: Request, source_id: SourceId) -> HTMLResponse:
        stack = pipeline.stack()
        detail = f"No file {source_id} is in the ledger or in the bucket."
        page = _or_404(lineage.read(stack, source_id), detail)
        return templates.page(request, "file", stack, now(), page=page)

    @app.get("/reconciliations/{run}")
    def reconciliation(request: Request, run: RunName) -> HTMLResponse:
        stack = pipeline.stack()
        report = _or_404(reconciliations.by_name(stack, run), f"There is no report {run} of a reconciliation.")
        return templates.page(request, "reconciliation", stack, now(), report=report)

    @app.get("/runs")
    def dag_run(request: Request, dag: Name = "", run: Name = "") -> HTMLResponse:
        """Return the tab that Airflow shows for each run of each DAG."""
        if dag != RECONCILER:
            raise HTTPException(404, f"Only runs of {RECONCILER} write a report; this is a run of {dag or 'no DAG'}.")
        stack = pipeline.stack()
        detail = f"The run {run} has no report: it is still running, a task failed (see its log), or it is too old."
        report = _or_404(reconciliations.by_dag_run(stack, run, now()), detail)
        return templates.page(request, "reconciliation", stack, now(), report=report)

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        path = _or_404(_FILES.get(name), "There is no such static file.")
        return FileResponse(path, headers={"Cache-Control": "private, no-cache"})

    @app.get("/{anything:path}")
    def unknown() -> None:
        """Answer unknown addresses here, because FastAPI's own 404 would not need a login."""
        raise HTTPException(404, "There is no such page.")


def _add_refusals(app: FastAPI, pipeline: Pipeline, login: Login) -> None:
    @app.exception_handler(AnyHTTPException)
    def refused(request: Request, error: AnyHTTPException) -> HTMLResponse:
        if isinstance(error, MayNotRead):
            return templates.access_denied(request, str(error.detail))
        if error.status_code in {401, 403}:
            return templates.login_required(request, error.status_code, str(error.detail), login)
        return templates.error_page(request, error.status_code, "Not found", str(error.detail))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> HTMLResponse:
        details = [f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors()]
        return templates.error_page(request, 422, "Invalid address", "", details=details)

    @app.exception_handler(MusicStreamsError)
    def cannot_read(request: Request, error: MusicStreamsError) -> HTMLResponse:
        pipeline.drop_cached_stack()
        details, steps = (error.details, error.next_steps) if isinstance(error, NoPipeline) else ([], [])
        return templates.error_page(request, 503, "Cannot read the pipeline", str(error), details, steps)

    @app.exception_handler(BotoCoreError)
    @app.exception_handler(ClientError)
    def no_access(request: Request, error: BotoCoreError | ClientError) -> HTMLResponse:
        return cannot_read(request, stacks.no_access(error, "the pipeline"))
