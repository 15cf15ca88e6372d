"""The application: endpoints, and the task that watches the model file."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import NoReturn

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import ClientDisconnect

from .metrics import Metrics, RequestTimer
from .model import REFUSALS, ModelHolder, ServedModel
from .schema import make_error

MAX_ROW_BYTES = 64 * 1024
MAX_BATCH_BYTES = 4 * 1024 * 1024

logger = logging.getLogger("uvicorn.error")
router = APIRouter()


def create_app(path: Path, snapshots: Path, watch_seconds: float = 1.0) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    path : Path
        The model file. As long as there is no good one, the service is not ready.
    snapshots : Path
        A folder for copies of it.
    watch_seconds : float, default=1.0
        The time between two looks at the file.
    """
    metrics = Metrics()
    holder = ModelHolder(path, snapshots, metrics)

    @contextlib.asynccontextmanager
    async def watch_while_running(app):
        await asyncio.to_thread(holder.refresh)
        task = asyncio.create_task(watch(holder, watch_seconds))
        yield
        task.cancel()

    app = FastAPI(title="sklearnx service", lifespan=watch_while_running)
    app.state.metrics, app.state.holder = metrics, holder
    app.include_router(router)
    app.add_middleware(RequestTimer, metrics=metrics)
    return app


def create_app_from_environment() -> FastAPI:
    """Return the application in a worker, as `__main__` asks for it."""
    return create_app(
        Path(os.environ["SERVICE_MODEL"]),
        Path(os.environ["SERVICE_SNAPSHOTS"]),
        float(os.environ["SERVICE_WATCH_SECONDS"]),
    )


async def watch(holder: ModelHolder, seconds: float) -> None:
    """Look at the model file again and again."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(holder.refresh)


# ---- endpoints -----------------------------------------------------------------------


def describe_body(example):
    """Tell the pages of FastAPI that an endpoint has a body, which it reads itself."""
    content = {"application/json": {"example": example}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/predict", openapi_extra=describe_body({"column": "value"}))
async def predict(request: Request) -> Response:
    """Answer one row: an object with a value, or null, for each column."""
    body = await read_body(request, MAX_ROW_BYTES)
    model = get_model(request)
    if model.answers_in_microseconds:
        return answer_row(model, body, request.app.state.metrics)
    return await asyncio.to_thread(answer_row, model, body, request.app.state.metrics)


@router.post("/predict/batch", openapi_extra=describe_body([{"column": "value"}]))
async def predict_batch(request: Request) -> Response:
    """Answer a list of rows, in a thread, while others are answered."""
    body = await read_body(request, MAX_BATCH_BYTES)
    model = get_model(request)
    return await asyncio.to_thread(answer_rows, model, body, request.app.state.metrics)


@router.get("/schema")
async def get_schema(request: Request) -> Response:
    """Return the columns of a row and the classes of the model."""
    model = get_model(request)
    return JSONResponse(
        {
            "model": model.version,
            "columns": model.schema.columns,
            "classes": model.schema.classes,
        }
    )


@router.get("/health")
async def get_health() -> Response:
    """Answer as long as the process can."""
    return JSONResponse({"status": "alive"})


@router.get("/ready")
async def get_readiness(request: Request) -> Response:
    """Return the version of the model that serves; 503 while there is none."""
    return JSONResponse({"status": "ready", "model": get_model(request).version})


@router.get("/metrics")
async def get_metrics(request: Request) -> Response:
    """Return metrics for Prometheus."""
    return Response(
        request.app.state.metrics.render(),
        headers={"content-type": CONTENT_TYPE_LATEST},
    )


# ---- their parts ---------------------------------------------------------------------


def get_model(request: Request) -> ServedModel:
    """Return the model that serves now."""
    model = request.app.state.holder.model
    if model is None:
        raise HTTPException(503, "No model is loaded.", headers={"Retry-After": "1"})
    return model


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request, if it is not too long."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise HTTPException(413, f"A body may have {max_bytes:,} bytes.")
    except ClientDisconnect:
        raise HTTPException(400, "The body was cut short.") from None
    return bytes(body)


def answer_row(model: ServedModel, body: bytes, metrics: Metrics) -> Response:
    """Read, answer and write one row."""
    row = model.schema.read_row(body)
    try:
        response = JSONResponse({"model": model.version, **model.answer_row(row)})
    except REFUSALS as error:
        refuse(error, model.locate_refusal([row])[1:])
    metrics.note_rows(1, model.schema.count_unseen([row]))
    return response


def answer_rows(model: ServedModel, body: bytes, metrics: Metrics) -> Response:
    """Read, answer and write many rows."""
    rows = model.schema.read_rows(body)
    try:
        answers = model.answer_rows(rows)
        response = JSONResponse({"model": model.version, "answers": answers})
    except REFUSALS as error:
        refuse(error, model.locate_refusal(rows))
    metrics.note_rows(len(rows), model.schema.count_unseen(rows))
    return response


def refuse(error: Exception, loc: tuple[int | str, ...]) -> NoReturn:
    """Answer with 422 to what passed the schema, and that the model refused.

    The schema of a pipeline knows the names of its columns, but not their types; and a
    model may have been told to refuse levels that it does not know.
    """
    logger.warning("The model refused a request: %s", error)
    raise RequestValidationError(
        [make_error("value_error", ("body", *loc), str(error))]
    )
