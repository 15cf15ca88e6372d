"""Ask a service as fast as it answers: `python -m service.load_test FILE [FILE ...]`.

It starts a service on the loopback interface with a copy of the first file. With
--replace-every the copy is replaced by the next file, again and again. A file that is
no model is welcome among them: the model before it has to go on.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sklearnx.datasets import load_adult

N_ROWS = 10_000
TIMEOUT = 30  # seconds for an answer


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="written by service.train")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--concurrency", type=int, default=16, help="connections")
    parser.add_argument("--batch-size", type=int, default=1, help="rows of a request")
    parser.add_argument("--replace-every", type=float, help="seconds")
    parser.add_argument("--workers", type=int, default=1, help="of the service")
    arguments = parser.parse_args()
    for file in arguments.files:
        if not file.is_file():
            parser.error(f"{file} is no file.")
    if arguments.replace_every is not None and len(arguments.files) == 1:
        parser.error("--replace-every needs a second file.")
    return arguments


# ---- the service ---------------------------------------------------------------------


@dataclass
class Service:
    """A service in a process of its own."""

    process: subprocess.Popen
    port: int

    def get(self, path):
        """Return the text of a page."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()

    def wait_until_ready(self, seconds=60):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/ready")
                return
            time.sleep(0.1)
        raise RuntimeError("The service does not become ready.")

    def find_pids(self):
        """Return the process and its children, on Linux."""
        pids = [self.process.pid]
        for pid in pids:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
            pids += map(int, children.split())
        return pids

    def measure_memory(self):
        """Return the resident MiB of the process and its children, NaN if unknown."""
        if not Path("/proc/self/statm").exists():
            return float("nan")
        n_pages = sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            for pid in self.find_pids()
        )
        return n_pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def start_service(path, *options):
    """Run a service of a model file on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", __package__, path, "--port", port, *options]
    process = subprocess.Popen(
        list(map(str, command)), cwd=find_root(), start_new_session=True
    )
    try:
        service = Service(process, port)
        service.wait_until_ready()
        yield service
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()


def find_root():
    """Return the folder from which this package is imported."""
    return Path(__file__).resolve().parents[__package__.count(".") + 1]


def replace(path, file):
    """Put a copy of a file in the place of another, all at once."""
    copy = path.with_suffix(".new")
    shutil.copyfile(file, copy)
    os.replace(copy, path)


# ---- the load ------------------------------------------------------------------------


@dataclass
class Results:
    """What happened to all requests."""

    seconds: list[float] = field(default_factory=list)
    errors: Counter = field(default_factory=Counter)
    models: Counter = field(default_factory=Counter)


def make_requests(columns, batch_size=1):
    """Return requests with rows of the Adult census, as bytes."""
    frame = load_adult().data[columns].sample(N_ROWS, random_state=0)
    rows = json.loads(frame.to_json(orient="records"))
    if batch_size == 1:
        return [make_request("/predict", row) for row in rows]
    return [
        make_request("/predict/batch", rows[start : start + batch_size])
        for start in range(0, N_ROWS, batch_size)
    ]


def make_request(path, content):
    body = json.dumps(content).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port, requests, seconds, concurrency):
    """Ask over some connections, each as soon as it has its answer."""
    results = Results()
    deadline = time.perf_counter() + seconds
    requests = itertools.cycle(requests)
    await asyncio.gather(
        *(ask(port, requests, deadline, results) for _ in range(concurrency))
    )
    return results


async def ask(port, requests, deadline, results):
    """Ask over one connection; open another one if it breaks."""
    while time.perf_counter() < deadline:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                while time.perf_counter() < deadline:
                    start = time.perf_counter()
                    async with asyncio.timeout(TIMEOUT):
                        writer.write(next(requests))
                        status, body = await read_answer(reader)
                    results.seconds.append(time.perf_counter() - start)
                    if status == 200:
                        results.models[json.loads(body)["model"]] += 1
                    else:
                        results.errors[f"status {status}"] += 1
        except (OSError, EOFError) as error:
            results.errors[type(error).__name__] += 1
            await asyncio.sleep(0.1)


async def read_answer(reader):
    """Return the status and the body of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(maxsplit=1)[0])
    return int(head.split(maxsplit=2)[1]), await reader.readexactly(length)


async def replace_again_and_again(path, files, seconds):
    for file in itertools.cycle([*files[1:], files[0]]):
        await asyncio.sleep(seconds)
        await asyncio.to_thread(replace, path, file)


# ---- the report ----------------------------------------------------------------------


async def run(service, path, arguments):
    """Return the results, and the service's memory at three times."""
    columns = [c["name"] for c in json.loads(service.get("/schema"))["columns"]]
    requests = make_requests(columns, arguments.batch_size)
    memory = [service.measure_memory()]

    async def measure_later(seconds):
        await asyncio.sleep(seconds)
        memory.append(service.measure_memory())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(measure_later(arguments.seconds / 5))]
        if arguments.replace_every is not None:
            replacing = replace_again_and_again(
                path, arguments.files, arguments.replace_every
            )
            tasks.append(group.create_task(replacing))
        results = await drive(
            service.port, requests, arguments.seconds, arguments.concurrency
        )
        for task in tasks:
            task.cancel()
    memory.append(service.measure_memory())
    return results, memory


def print_report(results, memory, arguments):
    rate = len(results.seconds) / arguments.seconds
    n_rows = rate * arguments.batch_size
    p50, p99 = 1000 * np.percentile(results.seconds or [np.nan], [50, 99])
    before, settled, after = memory
    lines = {
        "requests": f"{len(results.seconds):,}",
        "throughput": f"{rate:,.0f} requests/s, {n_rows:,.0f} rows/s",
        "p50": f"{p50:.2f} ms",
        "p99": f"{p99:.2f} ms",
        "errors": f"{results.errors.total():,} {dict(results.errors) or ''}",
        "memory": (
            f"{before:.1f} MiB idle, {settled:.1f} after a fifth of the time, "
            f"{after:.1f} at the end"
        ),
    }
    for name, line in lines.items():
        print(f"{name:<12} {line}")
    for model, n_answers in results.models.items():
        print(f"{'answered by':<12} {model}: {n_answers:,}")


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        replace(path, arguments.files[0])
        with start_service(path, "--workers", arguments.workers) as service:
            results, memory = asyncio.run(run(service, path, arguments))
    print_report(results, memory, arguments)
    if results.errors:
        sys.exit(1)


if __name__ == "__main__":
    main()
