"""The dashboard's addresses. It only looks: what changes something is a DAG run, which the page asks Airflow for.

Every address, those of style and script too, first asks Airflow who is logged in and whether that user may read the
DAG reconcile_streams.
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
_Found = TypeVar("_Found")


def create_app(
    login: Login,
    find_stack: Callable[[], Stack] = stacks.find_stack,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """The app.

    Args:
        login: who may see it.
        find_stack: finds the pipeline, or raises NoPipeline.
        now: the present moment, in UTC.
    """
    # FastAPI's own pages (docs_url, …) would ask for no login.
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


def _found(looked_up: _Found | None, otherwise: str) -> _Found:
    """What was looked up; the answer is 404 and the sentence where there is none."""
    if looked_up is None:
        raise HTTPException(404, otherwise)
    return looked_up


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
        otherwise = f"Neither the ledger nor the bucket knows a file {source_id}."
        found = _found(lineage.read(stack, source_id), otherwise)
        return templates.page(request, "file", stack, now(), page=found)

    @app.get("/reconciliations/{run}")
    def reconciliation(request: Request, run: RunName) -> HTMLResponse:
        stack = pipeline.stack()
        report = _found(reconciliations.by_name(stack, run), f"There is no report of a reconciliation {run}.")
        return templates.page(request, "reconciliation", stack, now(), report=report)

    @app.get("/runs")
    def dag_run(request: Request, dag: Name = "", run: Name = "") -> HTMLResponse:
        """The tab that Airflow shows with each run of each DAG."""
        if dag != RECONCILER:
            raise HTTPException(404, f"Only runs of {RECONCILER} leave a report; this is one of {dag or 'no DAG'}.")
        stack = pipeline.stack()
        otherwise = f"The run {run} has left no report: it goes on, it failed, or it is too long ago."
        report = _found(reconciliations.by_dag_run(stack, run, now()), otherwise)
        return templates.page(request, "reconciliation", stack, now(), report=report)

    @app.get("/static/{name}")
    def static(name: str) -> FileResponse:
        path = _found(_FILES.get(name), "There is no such file.")
        return FileResponse(path, headers={"Cache-Control": "private, no-cache"})

    @app.get("/{anything:path}")
    def unknown() -> None:
        """Without it an unknown address would be answered before the login is asked for."""
        raise HTTPException(404, "There is no such page.")


def _add_refusals(app: FastAPI, pipeline: Pipeline, login: Login) -> None:
    @app.exception_handler(AnyHTTPException)
    def refused(request: Request, error: AnyHTTPException) -> HTMLResponse:
        if isinstance(error, MayNotRead):
            return templates.no_right(request, str(error.detail))
        if error.status_code in {401, 403}:
            return templates.refusal(request, error.status_code, str(error.detail), login)
        return templates.trouble(request, error.status_code, "Not found", str(error.detail))

    @app.exception_handler(RequestValidationError)
    def misspelt(request: Request, error: RequestValidationError) -> HTMLResponse:
        told = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
        return templates.trouble(request, 422, "This address is misspelt", "", details=told)

    @app.exception_handler(MusicStreamsError)
    def no_pipeline(request: Request, error: MusicStreamsError) -> HTMLResponse:
        pipeline.forget()
        details, steps = (error.details, error.next_steps) if isinstance(error, NoPipeline) else ([], [])
        return templates.trouble(request, 503, "The pipeline cannot be read", str(error), details, steps)

    @app.exception_handler(BotoCoreError)
    @app.exception_handler(ClientError)
    def no_access(request: Request, error: BotoCoreError | ClientError) -> HTMLResponse:
        return no_pipeline(request, stacks.no_access(error, "the pipeline"))
