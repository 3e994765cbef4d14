"""ArcID can be imported on Windows: its modules do not use what only POSIX systems have."""

import subprocess
import sys

from app.config import PROJECT

# All third-party packages are imported first: they have their own conditions for Windows.
IMPORT_ALL = """
import builtins, os, pkgutil, signal, sys
from importlib import import_module

import app

def import_all():
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.startswith("app.training"):  # needs the extra `train`
            import_module(module.name)

import_all()
known = dict(sys.modules)
for name in [name for name in known if name.partition(".")[0] == "app"]:
    del sys.modules[name]

def import_as_on_windows(name, globals=None, *rest):
    if name in POSIX_ONLY and (globals or {}).get("__name__", "").partition(".")[0] == "app":
        raise ModuleNotFoundError(f"{globals['__name__']} imports {name}")
    return imported(name, globals, *rest)

POSIX_ONLY = {"fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty", "uvloop"}
imported, builtins.__import__ = builtins.__import__, import_as_on_windows
for module, names in {
    os: ["O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fork", "getuid", "geteuid", "uname"],
    signal: ["SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2"],
}.items():
    for name in names:
        delattr(module, name)
sys.platform = "win32"

import app
import_all()
settings = import_module("app.config").read_settings(data_dir=sys.argv[1])
assert import_module("app.main").create_app(settings).routes

from app.disk import lock
with open(sys.argv[1] + "/lock", "wb") as first, open(sys.argv[1] + "/lock", "wb") as second:
    lock(first)
    try:
        lock(second, is_shared=True, is_waiting=False)
    except BlockingIOError:
        print("locked by", lock.__globals__["portalocker"].__name__)
print(sum(name.partition(".")[0] == "app" for name in sys.modules), "modules")
"""


def test_all_modules_are_imported_without_what_only_posix_has(tmp_path):
    command = [sys.executable, "-c", IMPORT_ALL, tmp_path]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    lock, modules = done.stdout.splitlines()
    assert lock == "locked by portalocker"
    assert int(modules.split()[0]) > 300
