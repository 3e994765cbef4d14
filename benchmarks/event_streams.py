"""Measure the cost of event streams: 400 watchers of a job, and the response time of /readyz.

    python benchmarks/event_streams.py --watchers 400 --seconds 15

Prints the service's processor time, as a share of one core, and the time of /readyz: without watchers, with the
requested number at the default limit, and with a limit that admits all of them.
"""

import argparse
import asyncio
import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx2
from crash import Place, serving

_HOST = "127.0.0.1"


def used(process: subprocess.Popen[bytes]) -> float:
    """Return the processor time of a process until now, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def watch(port: int, job: str, seen: Counter[int]) -> None:
    """Open an event stream and read it until it ends or the task is cancelled."""
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        writer.write(f"GET /jobs/{job}/events HTTP/1.1\r\nHost: {_HOST}\r\n\r\n".encode())
        seen[int((await reader.readline()).split()[1])] += 1
        while await reader.readline():
            pass
    finally:
        writer.transport.abort()


async def measured(port: int, job: str, process: subprocess.Popen[bytes], watchers: int, seconds: float) -> str:
    """Return a line with the cost of `watchers`."""
    seen: Counter[int] = Counter()
    tasks = [asyncio.create_task(watch(port, job, seen)) for _ in range(watchers)]
    await asyncio.sleep(3)
    took: list[float] = []
    began, before = time.monotonic(), used(process)
    async with httpx2.AsyncClient(base_url=f"http://{_HOST}:{port}", timeout=60) as client:
        while time.monotonic() - began < seconds:
            started = time.perf_counter()
            (await client.get("/readyz")).raise_for_status()
            took.append(1000 * (time.perf_counter() - started))
            await asyncio.sleep(0.1)
    share = (used(process) - before) / (time.monotonic() - began)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    took.sort()
    quantiles = f"p50 {statistics.median(took):.0f} ms, p99 {took[int(0.99 * (len(took) - 1))]:.0f} ms"
    return f"{watchers} watchers ({dict(seen)}): {100 * share:.1f} % of a core, /readyz {quantiles}"


def main() -> None:
    """Read the options, start a service and a waiting job, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    for limit, watchers in ((100, 0), (100, options.watchers), (options.watchers, options.watchers)):
        with tempfile.TemporaryDirectory(prefix="arcid-streams-") as name:
            environment = {**os.environ, "ARCID_DATA_DIR": name}
            if limit != 100:
                environment["ARCID_LIMITS__EVENT_STREAMS"] = str(limit)
            place = Place(environment)
            place.run("db", "upgrade")
            with serving(place, Path(name) / "log") as (client, process):
                job = waiting_job(client, Path(name))
                port = client.base_url.port or 0
                line = asyncio.run(measured(port, job, process, watchers, options.seconds))
                print(f"limit {limit}: {line}", flush=True)


def waiting_job(client: httpx2.Client, folder: Path) -> str:
    """Create a job that no process runs, because its data folder does not exist; return its id."""
    job: str = (
        client.post("/jobs", json={"kind": "export", "collection": "default"}).raise_for_status().json()["job_id"]
    )
    while client.get(f"/jobs/{job}").json()["finished_at"] is None:
        time.sleep(0.1)
    with sqlite3.connect(folder / "arcid.db") as database:
        database.execute("UPDATE jobs SET state = 'queued', finished_at = NULL, place = 'elsewhere'")
    return job


if __name__ == "__main__":
    main()
