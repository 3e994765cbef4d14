"""`arcid` without its start: one process imports the program once, and each call is a fork of it.

The examples call it some sixty times, and its imports take seconds. `installed` writes an `arcid` that hands
its arguments, environment, folder and standard streams to that process and ends with the call's exit status.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import app.evaluation.pages  # noqa: F401 - what commands import late takes a second too
from app.cli import ArcidGroup, main

_CALLER = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as service:
    service.connect({address!r})
    socket.send_fds(service, [b"!"], [0, 1, 2])
    service.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    service.shutdown(socket.SHUT_WR)
    status = service.recv(1)
sys.exit(status[0] if status else "arcid died")
"""


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """Have an executable `arcid` in a folder for as long as the context lasts."""
    address = str(folder / "arcid.socket")
    command = folder / "arcid"
    command.write_text(_CALLER.format(python=sys.executable, address=address))
    command.chmod(0o755)
    with subprocess.Popen([sys.executable, "-m", __name__, address], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        yield
        running.terminate()


def serve(address: str) -> None:
    """Answer calls until killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for calls: they say their status themselves
    for command in ArcidGroup.lazy.values():
        command.load()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)  # noqa: T201 - to the one who started it
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                _call(caller)
            caller.close()


def _call(caller: socket.socket) -> None:
    """Be one call, to its end."""
    status = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, streams, _, _ = socket.recv_fds(caller, 1, 3)
        with caller.makefile("rb") as said:
            arguments, folder, environment = json.load(said)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["arcid", *arguments]
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        caller.sendall(bytes([status]))
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
