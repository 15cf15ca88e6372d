"""Start the service: `python -m service model.safetensors`."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import uvicorn


def parse_arguments():
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    parser.add_argument("model", type=Path, help="a file written by sklearnx.io.save")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument(
        "--watch-seconds",
        type=float,
        default=1.0,
        help="time between two looks at the model file",
    )
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    # uvicorn raises a signal again when it has shut down; this ends the block below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with tempfile.TemporaryDirectory(
        prefix="service-", ignore_cleanup_errors=True
    ) as folder:
        os.environ["SERVICE_MODEL"] = str(arguments.model.absolute())
        os.environ["SERVICE_SNAPSHOTS"] = folder
        os.environ["SERVICE_WATCH_SECONDS"] = str(arguments.watch_seconds)
        # Requests run side by side; each with all cores would only wait for others.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if arguments.workers > 1:
            metrics = Path(folder, "metrics")
            metrics.mkdir()
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
        uvicorn.run(
            f"{__package__}.app:create_app_from_environment",
            factory=True,
            host=arguments.host,
            port=arguments.port,
            workers=arguments.workers,
            access_log=False,  # metrics count requests, in a tenth of the time
            limit_concurrency=1000,
            timeout_graceful_shutdown=10,
        )


if __name__ == "__main__":
    main()
