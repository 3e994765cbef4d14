"""Folders, lists and ZIP files, honest and hostile."""

import io
import os
import struct
import zipfile
import zlib

import pytest
from pydantic import TypeAdapter, ValidationError

from app.errors import EncodingUnknown, ImportInvalid, ItemInvalid, TooManyBytes
from app.names import PersonName
from app.transfer import photo_lists as listing
from app.transfer import photo_zips as zipped
from app.transfer.photo_sources import open_source
from app.transfer.text_encodings import Encoding


def read(path, most=1000, **options):
    """Return what each item gives: bytes, or the code of why not."""
    found = {}
    with open_source(path, **options) as source:
        for item in source.items:
            try:
                data = source.read(item, most) if item.flaw is None else None
                found[item.label] = "item_invalid" if data is None else (item.identity_id, data)
            except (ItemInvalid, TooManyBytes) as error:
                found[item.label] = error.code
    return found


def folder(root, files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def archive(path, files, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


FILES = {
    "bob/2.jpg": b"b2",
    "ada/1.jpg": b"a1",
    "ada/0.jpg": b"a0",
    "ada/.DS_Store": b"x",
    "__MACOSX/ada/._1.jpg": b"x",
}
READ = {"ada/0.jpg": ("ada", b"a0"), "ada/1.jpg": ("ada", b"a1"), "bob/2.jpg": ("bob", b"b2")}


def test_a_folder_and_a_zip_of_it_are_the_same(tmp_path):
    assert read(folder(tmp_path / "in", FILES)) == READ == read(archive(tmp_path / "in.zip", FILES))
    assert list(read(tmp_path / "in")) == list(READ) == list(read(tmp_path / "in.zip"))


def test_a_zip_of_the_folder_itself(tmp_path):
    wrapped = archive(tmp_path / "in.zip", {f"photos/{name}": data for name, data in FILES.items()})
    assert [each[0] for each in read(wrapped).values()] == ["ada", "ada", "bob"]


def test_flat(tmp_path):
    files = {"ada.l.jpg": b"a", "bob": b"b"}
    wanted = {"ada.l.jpg": ("ada.l", b"a"), "bob": ("bob", b"b")}
    assert read(folder(tmp_path / "in", files), is_flat=True) == wanted
    assert read(archive(tmp_path / "in.zip", files), is_flat=True) == wanted


def test_what_lies_elsewhere_is_refused_one_by_one(tmp_path):
    files = {"top.jpg": b"x", "ada/1.jpg": b"a1", "ada/more/2.jpg": b"x", "x" * 129 + "/1.jpg": b"x"}
    found = read(archive(tmp_path / "in.zip", files))
    assert found.pop("ada/1.jpg") == ("ada", b"a1")
    assert list(found.values()) == ["item_invalid"] * 3
    found = read(folder(tmp_path / "in", files))
    assert found.pop("ada/1.jpg") == ("ada", b"a1")
    assert set(found.values()) == {"item_invalid"}
    assert len(found) == 3


def test_odd_files_of_a_folder(tmp_path):
    root = folder(tmp_path / "in", {"ada/large.jpg": b"x" * 1001, "ada/full.jpg": b"x" * 1000})
    os.mkfifo(root / "ada" / "pipe.jpg")  # would be waited for without an end
    (root / "ada" / "loop").symlink_to(root / "ada" / "loop")
    (root / "ada" / "gone").symlink_to(root / "nothing")
    (tmp_path / "in" / os.fsdecode(b"\xff")).mkdir()
    (tmp_path / "in" / os.fsdecode(b"\xff") / "1.jpg").write_bytes(b"x")
    found = read(root)
    assert found.pop("ada/full.jpg") == ("ada", b"x" * 1000)
    assert found.pop("ada/large.jpg") == "too_many_bytes"
    assert set(found.values()) == {"item_invalid"}
    assert len(found) == 4


def test_links_lead_out_only_where_they_may(tmp_path):
    secret = folder(tmp_path / "out", {"bob/1.jpg": b"secret"})
    root = folder(tmp_path / "in", {"ada/1.jpg": b"a1", "list.csv": b"identity_id,photo\nada,ada/link.jpg\n"})
    (root / "bob").symlink_to(secret / "bob")
    (root / "ada" / "link.jpg").symlink_to(secret / "bob" / "1.jpg")
    assert read(root)["ada/link.jpg"] == ("ada", b"secret")  # the operator's own command
    found = read(root, inside=root)
    assert {**found, "list.csv": None} == {
        "ada/1.jpg": ("ada", b"a1"),
        "ada/link.jpg": "item_invalid",
        "bob/?": "item_invalid",
        "list.csv": None,
    }
    assert read(root / "list.csv", inside=root) == {"line 2: ada/link.jpg": "item_invalid"}


@pytest.mark.parametrize("path", ["../out.jpg", "/etc/passwd", "a/../../out.jpg", "..\\out.jpg", "a\0b", ""])
def test_a_list_leads_out_of_no_folder(tmp_path, path):
    folder(tmp_path, {"out.jpg": b"secret", "in/list.csv": f"identity_id,photo\nada,{path}\n".encode()})
    if "\0" in path:
        (tmp_path / "in" / "list.csv").write_bytes(b"identity_id,photo\nada,a\0b\n")
    assert list(read(tmp_path / "in" / "list.csv").values()) == ["item_invalid"]


def test_a_list_with_names_and_metadata(tmp_path):
    text = (
        "\ufeffphoto,identity_id,name,metadata\r\n"
        '1.jpg,ada,"Lovelace, Ada","{""room"": 7}"\r\n'
        "\r\n"
        "2.jpg,bob,,\r\n"
        "3.jpg,eve,,[1]\r\n"
        '"4.jpg\n",eve,a\0b\r\n'
        "5.jpg,,,\r\n"
        "7.jpg,eve,x,,y\r\n"
        "6.jpg,eve,,NaN\r\n"
    )
    folder(tmp_path, {"list.csv": text.encode(), "1.jpg": b"1"})
    with open_source(tmp_path / "list.csv") as source:
        ada, bob, *flawed = source.items
        assert (ada.identity_id, ada.name, ada.metadata) == ("ada", "Lovelace, Ada", {"room": 7})
        assert source.read(ada, 9) == b"1"
        assert (bob.label, bob.name, bob.metadata, bob.flaw) == ("line 4: 2.jpg", None, None, None)
        with pytest.raises(ItemInvalid, match="No such file"):
            source.read(bob, 9)
        assert all(each.flaw for each in flawed)
        assert len(flawed) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"ada,1.jpg\n",
        b"identity_id,name,x\n",
        b"photo,photo,identity_id\n",
        b"\xff\xfe",
        b'identity_id,photo\n"a',
    ],
)
def test_what_is_no_list(tmp_path, data):
    (tmp_path / "list.csv").write_bytes(data)
    with pytest.raises(ImportInvalid):
        open_source(tmp_path / "list.csv")


def test_a_zip_with_a_list(tmp_path):
    files = {
        "list.csv": b"identity_id,photo\nada,x/1.jpg\nbob,../2.jpg\neve,3.jpg\n",
        "x/1.jpg": b"1",
        "../2.jpg": b"2",
    }
    found = read(archive(tmp_path / "in.zip", files))
    assert list(found.values()) == [("ada", b"1"), "item_invalid", "item_invalid"]
    with pytest.raises(ImportInvalid, match="several"):
        open_source(archive(tmp_path / "two.zip", {**files, "other.csv": b""}))


def test_names_in_a_zip_are_never_paths(tmp_path):
    names = ["../../etc/passwd", "/etc/passwd", "C:\\x\\y", "ada/../1.jpg", "..", "../ada.jpg"]
    found = read(archive(tmp_path / "in.zip", dict.fromkeys(names, b"x")))
    assert {each if isinstance(each, str) else each[1] for each in found.values()} <= {"item_invalid", b"x"}
    assert [each.name for each in tmp_path.iterdir()] == ["in.zip"]


def test_bombs(tmp_path):
    bomb = archive(tmp_path / "one.zip", {"ada/1.jpg": b"\0" * 50_000_000, "ada/2.jpg": b"2"})
    assert read(bomb) == {"ada/1.jpg": "too_many_bytes", "ada/2.jpg": ("ada", b"2")}
    with pytest.raises(ImportInvalid, match="unpacks"):
        open_source(archive(tmp_path / "all.zip", {f"a/{number}": b"\0" * 20_000_000 for number in range(8)}))
    # A member with a false size is truncated at the limit.
    data = bytearray(archive(tmp_path / "lie.zip", {"ada/1.jpg": b"\0" * 5000}).read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 10)
    (tmp_path / "lie.zip").write_bytes(data)
    assert read(tmp_path / "lie.zip") == {"ada/1.jpg": "item_invalid"}


def test_methods_that_cost_memory_and_encryption(tmp_path):
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        assert read(archive(tmp_path / "in.zip", {"ada/1.jpg": b"x"}, method)) == {"ada/1.jpg": "item_invalid"}
    data = bytearray(archive(tmp_path / "in.zip", {"ada/1.jpg": b"x"}).read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "in.zip").write_bytes(data)
    assert read(tmp_path / "in.zip") == {"ada/1.jpg": "item_invalid"}


@pytest.mark.parametrize("is_zip64", [False, True])
def test_a_list_of_contents_that_is_too_large(tmp_path, monkeypatch, is_zip64):
    if is_zip64:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
    path = archive(tmp_path / "in.zip", {f"ada/{number}": b"" for number in range(50)})
    assert (b"PK\x06\x06" in path.read_bytes()) == is_zip64
    assert len(read(path)) == 50
    monkeypatch.setattr(zipped, "MOST_DIRECTORY_BYTES", 1000)
    with pytest.raises(ImportInvalid, match="list of contents"):
        open_source(path)


def test_damaged_zips(tmp_path):
    whole = archive(tmp_path / "in.zip", FILES).read_bytes()
    for cut in (4, len(whole) // 2, len(whole) - 1):
        (tmp_path / "in.zip").write_bytes(whole[:cut])
        with pytest.raises(ImportInvalid):
            open_source(tmp_path / "in.zip")
    rng = __import__("random").Random(0)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "in.zip").write_bytes(data)
        try:
            read(tmp_path / "in.zip")
        except ImportInvalid:
            continue


def test_several_files_of_one_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as file:
        file.writestr("ada/1.jpg", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("ada/1.jpg", b"2")
    with pytest.raises(ImportInvalid, match="one name"):
        open_source(tmp_path / "in.zip")


def test_what_is_none_of_these(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"text")
    for path in (tmp_path / "x.txt", tmp_path / "nothing"):
        with pytest.raises(ImportInvalid):
            open_source(path)
    inner = io.BytesIO()
    zipfile.ZipFile(inner, "w").close()
    assert read(archive(tmp_path / "in.zip", {"ada/in.zip": inner.getvalue()})) == {
        "ada/in.zip": ("ada", inner.getvalue())
    }


# Names and lists as other systems write them

ZOE, DECOMPOSED, ZHANG = "Zo\u00eb", "Zoe\u0308", "\u5f20\u4f1f"


class RawName(zipfile.ZipInfo):
    """A file whose name is written as the bytes that it is, without the mark of UTF-8."""

    raw = b""

    def _encodeFilenameFlags(self):  # noqa: N802 - the standard library's
        return self.raw, 0


def raw_archive(path, files, *, extra=b""):
    with zipfile.ZipFile(path, "w") as file:
        for number, (name, data) in enumerate(files.items()):
            info = RawName(f"{number}")
            info.raw, info.extra = name, extra
            file.writestr(info, data)
    return path


def people(path, **options):
    with open_source(path, **options) as source:
        return sorted({item.identity_id for item in source.items if item.flaw is None})


def test_names_in_utf8_without_the_mark(tmp_path):
    """As macOS writes them: composed or not, they are the people who are typed."""
    files = {f"{ZOE}/1.png".encode(): b"1", f"{ZHANG}/1.png".encode(): b"2", f"{DECOMPOSED}/2.png".encode(): b"3"}
    assert people(raw_archive(tmp_path / "in.zip", files)) == [ZOE, ZHANG]
    assert people(raw_archive(tmp_path / "one.zip", {f"{DECOMPOSED}/2.png".encode(): b"3"})) == [ZOE]
    both = {f"{ZOE}/1.png": b"1", f"{DECOMPOSED}/1.png": b"2"}
    for path in (folder(tmp_path / "in", both), archive(tmp_path / "both.zip", both)):
        assert sorted(read(path).values()) == [(ZOE, b"1"), (ZOE, b"2")]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ZOE, "cp437"),
        (ZOE, "cp1252"),
        ("\u6a21", "gbk"),
        ("\u5c71\u7530", "cp932"),
        ("\u0418\u0432\u0430\u043d", "cp866"),
    ],
)
def test_an_encoding_that_cannot_be_known_is_asked_about(tmp_path, text, encoding):
    path = raw_archive(tmp_path / "in.zip", {f"{text}/1.png".encode(encoding): b"1", b"__MACOSX/\xff": b"x"})
    with pytest.raises(EncodingUnknown, match="encoding="):
        open_source(path)
    assert people(path, encoding=Encoding(encoding)) == [text]
    table = f"identity_id,photo\n{text},1.png\n".encode(encoding)
    (tmp_path / "list.csv").write_bytes(table)
    with pytest.raises(EncodingUnknown, match="line 2, column 1"):
        open_source(tmp_path / "list.csv")
    assert people(tmp_path / "list.csv", encoding=Encoding(encoding)) == [text]
    with pytest.raises(ImportInvalid, match="is not utf-16-le"):
        open_source(
            raw_archive(tmp_path / "odd.zip", {b"\xff/1.jpg": b"1", b"\xfe\xd8": b""}), encoding=Encoding.UTF_16_LE
        )


def test_the_unicode_path_that_info_zip_adds(tmp_path):
    raw = f"{ZOE}/1.png".encode("cp437")
    right, wrong = (struct.pack("<BL", 1, zlib.crc32(of)) + f"{ZOE}/1.png".encode() for of in (raw, b"other"))
    for data, is_taken in ((right, True), (wrong, False)):
        field = struct.pack("<HH", 0x7075, len(data)) + data
        path = raw_archive(tmp_path / "in.zip", {raw: b"1"}, extra=field)
        if is_taken:
            assert people(path) == [ZOE]
        else:
            with pytest.raises(EncodingUnknown):
                open_source(path)


def test_the_unicode_path_stands_for_question_marks_too(tmp_path):
    files = {b"??/1.png": f"{ZHANG}/1.png", b"?/1.png": f"{ZOE}/1.png"}
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as file:
        for raw, name in files.items():
            info = zipfile.ZipInfo(raw.decode())
            data = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
            info.extra = struct.pack("<HH", 0x7075, len(data)) + data
            file.writestr(info, raw)
    assert sorted(read(path).values()) == sorted([(ZHANG, b"??/1.png"), (ZOE, b"?/1.png")])
    assert people(path, encoding=Encoding.GBK) == sorted([ZHANG, ZOE])


def test_folders_as_windows_and_file_servers_pack_them(tmp_path):
    windows = {b"Ann\\1.png": b"1", b"Bob\\1.png": b"2", b"Bob\\Thumbs.db": b"x"}
    assert people(raw_archive(tmp_path / "in.zip", windows)) == ["Ann", "Bob"]
    files = {
        "Ann/1.png": b"1",
        "Ann/@eaDir/1.png/THUMB_M.jpg": b"x",
        "Ann/old/2.png": b"x",
        "Ann/a.txt": b"x",
    }
    assert people(archive(tmp_path / "in.zip", files)) == ["Ann"]
    assert people(archive(tmp_path / "in.zip", {"photos/Ann/1.png": b"1", "photos/readme.txt": b"x"})) == ["Ann"]
    assert people(archive(tmp_path / "in.zip", {"photos/Ann.png": b"1", "photos/Bob.png": b"1"}), is_flat=True) == [
        "Ann",
        "Bob",
    ]


@pytest.mark.parametrize(
    "data",
    [
        "identity_id;photo;name\r\nann;p/1.png;Zo\u00eb\r\n".encode("utf-8-sig"),
        "identity_id\tphoto\tname\r\nann\tp/1.png\tZo\u00eb\r\n".encode("utf-16"),
        "identity_id, photo, name\nann, p/1.png, Zo\u00eb\n".encode(),
        'sep=;\r\n"Identity ID";PHOTO;Name;Department;\r\nann;p\\1.png;Zo\u00eb;Sales;\r\n;;;;\r\n'.encode(),
        "photo,identity-id,name\rp/1.png,ann,Zo\u00eb\r".encode(),
        'Identity_Id|Photo|Name\nann|"p/1.png"|Zoe\u0308'.encode(),
    ],
    ids=["semicolons", "tabs in UTF-16", "spaces", "Excel", "CR", "bars"],
)
def test_lists_as_excel_and_hands_write_them(tmp_path, data):
    with open_source(archive(tmp_path / "in.zip", {"list.csv": data, "p/1.png": b"1"})) as source:
        (item,) = source.items
        assert (item.identity_id, item.name, item.flaw) == ("ann", ZOE, None)
        assert source.read(item, 9) == b"1"


def test_what_is_wrong_with_a_list_is_named(tmp_path):
    for data, words in [
        (b"id;photo\nann;1.png\n", "line 1 of the CSV has no column identity_id"),
        ("identity_id\tphoto\r\n".encode("utf-16-le"), "utf-16-le"),
        (b'sep="\nidentity_id"photo\n', "no column identity_id"),
        (b"identity_id,photo,PHOTO\nann,1.png,2.png\n", "column photo twice"),
        (b'identity_id,photo\nann,1.png\nbob,"2"x\n', "line 3 of the CSV"),
    ]:
        (tmp_path / "list.csv").write_bytes(data)
        with pytest.raises(ImportInvalid, match=words):
            open_source(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(b"identity_id,photo\nann,1.png,Lovelace\n..,2.png\nbob,/3.png\n")
    with open_source(tmp_path / "list.csv") as source:
        first, second, third = (item.flaw or "" for item in source.items)
    assert "double quotes" in first
    assert second.startswith("column identity_id")
    assert third.startswith("column photo")


@pytest.mark.parametrize(
    "name",
    [
        "\u5c71\u7530\u3000\u592a\u90ce",
        "Jean\u00a0Luc",
        "\u0645\u06cc\u200c\u0634",
        "\u0b95\u0bcd\u200d\u0bb7",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "x" * 256,
        "x" * 257,
    ],
    ids=ascii,
)
def test_a_list_takes_the_names_that_a_request_takes(tmp_path, name):
    (tmp_path / "list.csv").write_text(f"identity_id,photo,name\nann,1.png,{name}\n", "utf-8-sig", newline="")
    with open_source(tmp_path / "list.csv") as source:
        (item,) = source.items
    try:
        assert item.name == TypeAdapter(PersonName).validate_python(name)
        assert item.flaw is None
    except ValidationError:
        assert (item.flaw or "").startswith("column name: a name has ")
    assert (item.flaw is None) == (not set(name) & set("\x7f\x85\u2028\u2029") and len(name) <= 256)


def test_a_list_finds_files_in_either_spelling(tmp_path):
    for written, stored in ((ZOE, DECOMPOSED), (DECOMPOSED, ZOE)):
        files = {f"{stored}.png": b"1", "list.csv": f"identity_id,photo\na,{written}.png\n".encode()}
        for path in (folder(tmp_path / stored, files) / "list.csv", archive(tmp_path / "in.zip", files)):
            assert [each[1] for each in read(path).values()] == [b"1"]
    (tmp_path / "long.csv").write_text(f"identity_id,photo\na,{'x' * 300}.png\n")
    assert list(read(tmp_path / "long.csv").values()) == ["item_invalid"]


# Attacks


def test_links_devices_and_overlaps_in_a_zip(tmp_path):
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, mode in (("ada/link.jpg", 0o120777), ("ada/pipe.jpg", 0o010644), ("CON/1.jpg", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, b"/etc/passwd")
    assert list(read(path).values()) == [("CON", b"/etc/passwd"), "item_invalid", "item_invalid"]
    whole = bytearray(archive(path, {"ada/1.jpg": b"1" * 500, "ada/2.jpg": b"2"}).read_bytes())
    second = whole.rindex(b"PK\x01\x02")
    struct.pack_into("<L", whole, second + 42, 0)  # it starts where the first one does
    path.write_bytes(whole)
    with pytest.raises(ImportInvalid, match="overlap"):
        open_source(path)


def test_a_list_in_a_zip_that_cannot_be_read(tmp_path, monkeypatch):
    path = archive(tmp_path / "in.zip", {"list.csv": b"identity_id,photo\na,1.png\n"})
    whole = bytearray(path.read_bytes())
    whole[whole.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    with pytest.raises(ImportInvalid, match="encrypted"):
        open_source(path)
    monkeypatch.setattr(zipped, "LONGEST_LIST", 10)
    with pytest.raises(ImportInvalid, match="more than 10 bytes"):
        open_source(archive(tmp_path / "in.zip", {"list.csv": b"identity_id,photo\n"}))


def test_more_files_than_are_held(tmp_path, monkeypatch):
    monkeypatch.setattr(zipped, "MOST_ENTRIES", 3)
    monkeypatch.setattr(listing, "MOST_LINES", 3)
    with pytest.raises(ImportInvalid, match="more than 3 files"):
        open_source(archive(tmp_path / "in.zip", dict.fromkeys(("a/1", "a/2", "a/3", "a/4"), b"")))
    for row in (b"a,1" + b"," * 600_000, b"a,1" + b',"\n"' * 200_000):
        (tmp_path / "list.csv").write_bytes(b"identity_id,photo\n" + row + b"\n")
        with pytest.raises(ImportInvalid, match="500,000 characters"):
            open_source(tmp_path / "list.csv")
    (tmp_path / "list.csv").write_bytes(b"identity_id,photo\n" + b"a,1\n" * 4)
    with pytest.raises(ImportInvalid, match="more than 3 lines"):
        open_source(tmp_path / "list.csv")
