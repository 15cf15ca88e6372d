"""What Prometheus is told."""

import os
import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class Metrics:
    """The metrics of a worker, and their sum over all workers."""

    def __init__(self):
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._request_seconds = Histogram(
            "service_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ["path", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self._rows = Counter("service_rows", "Rows answered.", registry=registry)
        self._unseen_levels = Counter(
            "service_unseen_levels",
            "Levels that the model was not fitted on, read as missing values.",
            ["column"],
            registry=registry,
        )
        model_reads = Counter(
            "service_model_reads",
            "Attempts to read the model file after it changed.",
            ["outcome"],
            registry=registry,
        )
        self._good_reads = model_reads.labels("loaded")
        self._bad_reads = model_reads.labels("failed")
        self._model_read_at = Gauge(
            "service_model_read_timestamp_seconds",
            "When the model that serves was read.",
            multiprocess_mode="max",
            registry=registry,
        )

    def note_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._request_seconds.labels(path, status).observe(seconds)

    def note_rows(self, n_rows: int, unseen: dict[str, int]) -> None:
        """Count rows, and levels that fit has not seen."""
        self._rows.inc(n_rows)
        for column, n_levels in unseen.items():
            self._unseen_levels.labels(column).inc(n_levels)

    def note_model_read(self) -> None:
        """Count a model that began to serve."""
        self._good_reads.inc()
        self._model_read_at.set_to_current_time()

    def note_model_failure(self) -> None:
        """Count a file that is no model."""
        self._bad_reads.inc()

    def render(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)


class RequestTimer:
    """The layer of the application that measures requests."""

    def __init__(self, app, metrics: Metrics):
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def send_and_note_status(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        start = time.perf_counter()
        try:
            await self._app(scope, receive, send_and_note_status)
        finally:
            # Paths that do not exist share a name: anybody can make up more of them.
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.note_request(path, status, time.perf_counter() - start)
