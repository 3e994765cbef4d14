"""Measure the cost of hostile ZIP, TAR and list files, sent to a service and passed to the commands.

    python benchmarks/hostile_archives.py             # all of them
    python benchmarks/hostile_archives.py --only claims

Each line shows the outcome for a file, the seconds, and the maximum resident memory: above the memory at rest for the
service, in total for the command. Exit status 1 with the violations: a 500, a traceback, an unfinished job, memory or
time beyond its bound.
"""

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from hostile import Attacked, Memory, attacked
from hostile_clients import HOST

_MOST_MIB = 900
"""Bounds for an upload of 50 MB and a directory with 300,000 files."""
_MOST_SECONDS = 120
_BOUNDARY = "x" * 30


def _packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return data.getvalue()


def _modes() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for number, mode in enumerate((0o120777, 0o010644, 0o020644, 0o060644, 0o140644)):
            info = zipfile.ZipInfo(f"ada/{number}.jpg")
            info.external_attr = mode << 16
            file.writestr(info, b"/etc/passwd")
    return data.getvalue()


def _twice() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for content in (b"1", b"2"):
            file.filelist.append(_written(file, "ada/1.jpg", content))
            file.NameToInfo.clear()
    return data.getvalue()


def _written(file: zipfile.ZipFile, name: str, content: bytes) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    file.writestr(info, content)
    return file.filelist.pop()


def _directory(entries: int, *, is_apart: bool) -> bytes:
    """Return a ZIP of `count` files, with separate headers or one shared header."""
    local, central, out = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), bytearray()
    directory = bytearray()
    for number in range(entries):
        name = b"a/%x" % number
        at = len(out) if is_apart else 0
        if is_apart or not out:
            out += local.pack(b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0) + name
        directory += central.pack(b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, at) + name
    begin = len(out)
    out += directory
    at64 = len(out)
    out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, len(directory), begin)
    out += struct.pack("<4sLQL", b"PK\6\7", 0, at64, 1)
    out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(out)


def _claims(entries: int, size: int) -> bytes:
    """Return a small ZIP that claims a number of files and a size of its directory."""
    out = bytearray(_packed({"ada/1.jpg": b"1"}))
    at = out.rindex(b"PK\5\6")
    del out[at:]
    out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, 0)
    out += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    out += struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(out)


def _overlapping() -> bytes:
    """Return a ZIP in which all files are the same 20 MB of zeros."""
    kernel, out, directory = zlib.compress(bytes(19_000_000), 9)[2:-4], bytearray(), bytearray()
    crc = zlib.crc32(bytes(19_000_000))
    out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(kernel), 19_000_000, 3, 0) + b"a/0" + kernel
    for number in range(5):
        sizes = (crc, len(kernel), 19_000_000)
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 3, 0, 0, 0, 0, 0, 0)
        directory += b"a/%d" % number
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5, 5, len(directory), len(out), 0)
    return bytes(out + directory + end)


def _changed(data: bytes, offset: int, form: str, value: int, *, is_local: bool = False) -> bytes:
    """Return a ZIP with a changed number in its first header."""
    out = bytearray(data)
    struct.pack_into(form, out, out.index(b"PK\3\4" if is_local else b"PK\1\2") + offset, value)
    return bytes(out)


def _zip64(value: int) -> bytes:
    """Return a ZIP whose first file states its size, packed size and place in ZIP64's extra field."""
    info, data = zipfile.ZipInfo("ada/1.jpg"), io.BytesIO()
    info.extra = struct.pack("<HH3Q", 1, 24, value, value, value)
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(info, b"1")
    out = data.getvalue()
    for offset in (20, 24, 42):
        out = _changed(out, offset, "<L", 0xFFFFFFFF)
    return out


def photos() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield ZIP files for an import of photos, by name."""
    zeros, whole = bytes(19_000_000), _packed({"ada/1.jpg": bytes(5000), "ada/2.jpg": b"2"})
    paths = ["../../x.jpg", "/etc/passwd", "C:\\x\\y.jpg", "ada/../1.jpg", "..", "../a.jpg", "CON/1.jpg", "NUL"]
    yield "paths and device names", lambda: _packed(dict.fromkeys(paths, b"x"))
    yield "links, pipes, devices", _modes
    yield "one name twice", _twice
    yield "case collisions", lambda: _packed({"Ada/1.jpg": b"1", "ADA/1.JPG": b"2", "ada/1.Jpg": b"3"})
    yield "claims 10 million files, 32 MB", lambda: _claims(10_000_000, 31_999_999)
    yield "claims 10 million files, 600 MB", lambda: _claims(10_000_000, 600_000_000)
    yield "290,000 files", lambda: _directory(290_000, is_apart=True)
    yield "550,000 files", lambda: _directory(550_000, is_apart=True)
    yield "550,000 files that are one", lambda: _directory(550_000, is_apart=False)
    yield "290,000 files that are one", lambda: _directory(290_000, is_apart=False)
    yield "nested", lambda: _packed({f"ada/{each}.zip": _packed({"a.zip": _packed({"b": zeros})}) for each in range(9)})
    yield "overlapping files", _overlapping
    yield "1 GB of zeros", lambda: _packed({f"ada/{each}.jpg": zeros for each in range(53)})
    yield "95 MB of zeros in 5 files", lambda: _packed({f"ada/{each}.jpg": zeros for each in range(5)})
    yield "a size that is a lie", lambda: _changed(_packed({"ada/1.jpg": zeros}), 24, "<L", 10)
    yield "a packed size beyond the end", lambda: _changed(whole, 20, "<L", 0xFFFFFFF0)
    yield "a place beyond the end", lambda: _changed(whole, 42, "<L", 0xFFFFFFF0)
    yield "encrypted", lambda: _changed(whole, 8, "<H", 1)
    yield "wrong CRC", lambda: _changed(whole, 16, "<L", 1)
    yield "descriptor without one", lambda: _changed(_changed(whole, 8, "<H", 8), 6, "<H", 8, is_local=True)
    yield "another name in the local header", lambda: _changed(whole, 30, "<L", 0x41414141, is_local=True)
    yield "ZIP64 of 2^63", lambda: _zip64(2**63)
    yield "ZIP64 of 2^64 - 1", lambda: _zip64(2**64 - 1)
    yield "LZMA", lambda: _packed({"ada/1.jpg": zeros}, zipfile.ZIP_LZMA)
    yield "a ZIP before a ZIP", lambda: whole + _packed({"bob/1.jpg": b"x"})
    yield "a list of 120 MB", lambda: _packed({"l.csv": b"identity_id,photo\n" + b"a,b\n" * 30_000_000})
    yield "a list of 499,999 lines", lambda: _packed({"l.csv": b"identity_id,photo\n" + b"a,b\n" * 499_999})
    yield "a list of one line", lambda: _packed({"l.csv": b"identity_id,photo\n" + b"a" * 100_000_000})
    yield "a list of one header", lambda: _packed({"l.csv": b"identity_id,photo" + b"," * 100_000_000})
    yield "a list of quotes", lambda: _packed({"l.csv": b'identity_id,photo\n"' + b'""' * 40_000_000})
    deep = b'identity_id,photo,metadata\na,b,"' + b"[" * 120_000 + b'"\n'
    yield "a list with deep metadata", lambda: _packed({"l.csv": deep})
    marks = ("identity_id,photo\n" + "\u0316\u0301" * 60_000 + ",b\n").encode()
    yield "a list of marks without letters", lambda: _packed({"l.csv": marks})


def _tar(**fields: object) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("manifest.json")
        for name, value in fields.items():
            setattr(info, name, value)
        file.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
    return data.getvalue()


def archives() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield files for an import of an archive, and for a restore, by name."""
    members = ("identities.ndjson", "faces.ndjson", "vectors.npy", "manifest.json")
    small = dict.fromkeys(members, b"{}")
    yield "tar with a link", lambda: _tar(type=tarfile.SYMTYPE, linkname="/etc/passwd")
    yield "tar with a device", lambda: _tar(type=tarfile.CHRTYPE, devmajor=1, devminor=5)
    yield "tar with a PAX header of 30 MB", lambda: _tar(pax_headers={"comment": "x" * 30_000_000})
    yield "manifest of 50 MB", lambda: _packed({**small, "manifest.json": bytes(50_000_000)})
    yield "manifest 500,000 deep", lambda: _packed({**small, "manifest.json": b"[" * 500_000})
    yield "manifest of 1 MB of numbers", lambda: _packed({**small, "manifest.json": b"[" + b"1," * 500_000 + b"1]"})
    yield "a member twice", lambda: _packed(small) + _packed(small)
    yield "a device among the members", lambda: _packed({**small, "CON": b""})
    yield "claims 10 million members", lambda: _claims(10_000_000, 4_000_000)
    yield "550,000 members", lambda: _directory(550_000, is_apart=False)
    header = b"\x93NUMPY\x02\x00" + struct.pack("<L", 40_000_000) + b" " * 40_000_000
    yield "header of an array of 40 MB", lambda: _packed({**small, "vectors.npy": header})


def embeddings() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield files of embeddings by name."""
    line = json.dumps({"identity_id": "..", "embedding": [1.0] * 128}).encode() + b"\n"
    yield "a line of 50 MB", lambda: b'{"identity_id": "' + b"a" * 50_000_000
    yield "5 million empty lines", lambda: b"\n" * 5_000_000
    yield "lines 100,000 deep", lambda: (b'{"metadata":' + b"[" * 100_000 + b"\n") * 50
    yield "50,000 hostile ids", lambda: line * 50_000
    yield "numbers of 10,000 digits", lambda: (b'{"embedding": [' + b"9" * 10_000 + b"]}\n") * 500


_KINDS = {"import": photos, "import_archive": archives, "import_embeddings": embeddings}
_COMMANDS = {
    "import": ["import"],
    "import_archive": ["import-archive"],
    "import_embeddings": ["import-embeddings", "--model", "sface-2021dec"],
}


def _sent(service: Attacked, kind: str, data: bytes) -> str:
    """Send a file as a job, wait for its end, and return the outcome."""
    fields = {"kind": kind} | ({"model": "sface-2021dec"} if kind == "import_embeddings" else {})
    body = b"".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    body += f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
    body += data + f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {"X-Api-Key": service.key, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    request = urllib.request.Request(f"http://{HOST}:{service.port}/jobs", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=_MOST_SECONDS) as answer:  # noqa: S310 - our own
            job = json.load(answer)
    except urllib.error.HTTPError as error:
        return f"{error.code} {json.loads(error.read() or b'{}').get('code')}"
    ends = time.monotonic() + _MOST_SECONDS
    while job["state"] in {"queued", "running"}:
        if time.monotonic() > ends:
            return "WRONG: a job without an end"
        time.sleep(0.1)
        job = json.loads(service.get(f"/jobs/{job['job_id']}"))
    return f"{job['state']}, {job['errors']} refused" + (f", {job['failure']['code']}" if job["failure"] else "")


def _commanded(arguments: list[str], path: Path, folder: Path) -> tuple[str, float]:
    """Pass a file to a command; return the outcome and the maximum memory in MiB."""
    command = [sys.executable, "-c", "from app.cli import main; main()", *arguments[:1], str(path), *arguments[1:]]
    environment = {**os.environ, "ARCID_DATA_DIR": str(folder)}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    output = (folder / "out").read_text(errors="replace")
    wrong = "WRONG: traceback " if "Traceback" in output else ""
    last = "".join(output.split("\n")[-2:])[:100]
    return f"{wrong}exit {os.waitstatus_to_exitcode(status)} ({last})", usage.ru_maxrss / 1024


def main() -> None:
    """Attack and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="files whose name has this text")
    only = parser.parse_args().only
    wrong: list[str] = []
    with attacked() as service, tempfile.TemporaryDirectory(prefix="arcid-hostile-") as made:
        folder = Path(made)
        for kind, files in _KINDS.items():
            for name, make in files():
                if only not in name:
                    continue
                data = make()
                path = folder / ("a.ndjson" if kind == "import_embeddings" else "a.zip")
                path.write_bytes(data)
                commands = [_COMMANDS[kind]] + ([["restore", "--yes"]] if kind == "import_archive" else [])
                started = time.perf_counter()
                with Memory(service) as memory:
                    answers = [("service", _sent(service, kind, data))]
                figures = [(time.perf_counter() - started, memory.peak - memory.before)]
                for command in commands:
                    started = time.perf_counter()
                    answer, peak = _commanded(command, path, folder)
                    answers.append((command[0], answer))
                    figures.append((time.perf_counter() - started, peak))
                print(f"{kind}: {name} ({len(data):,} bytes)")
                for (who, answer), (seconds, mib) in zip(answers, figures, strict=True):
                    print(f"    {who}: {answer}; {seconds:.1f} s, {mib:.0f} MiB", flush=True)
                    if "WRONG" in answer or answer.startswith("500") or mib > _MOST_MIB or seconds > _MOST_SECONDS:
                        wrong.append(f"{name}: {who}: {answer}, {seconds:.1f} s, {mib:.0f} MiB")
        log = service.log.read_text(errors="replace")
        wrong += [f"the log has {sign}" for sign in ("Traceback", "status=500") if sign in log]
    for each in wrong:
        print(f"WRONG: {each}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
