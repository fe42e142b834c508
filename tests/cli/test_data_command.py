"""`chainrule data get` against a server of its own: it resumes, checks, and leaves nothing half."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chainrule.cli import data  # noqa: F401  (its help names the texts as they are)
from chainrule.cli.main import main
from chainrule.embed import download
from chainrule.embed.download import Dataset

# Text that does not shrink to nothing, so that the archive takes several reads.
TEXT = b" ".join(
    hashlib.sha256(bytes([i % 256, i // 256])).hexdigest().encode() for i in range(9000)
)


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


ARCHIVE = zipped(text8=TEXT)
MEANT = Dataset(
    name="text8",
    url="",
    archive_size=len(ARCHIVE),
    member="text8",
    size=len(TEXT),
    md5=hashlib.md5(TEXT).hexdigest(),
    about="a test",
)


@dataclass
class Server:
    """What the server sends, how it misbehaves, and what it was asked."""

    content: bytes = ARCHIVE
    status: int = 200
    ranges: bool = True
    # Bytes after which each connection ends; None for never.
    cut: int | None = None
    url: str = ""
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            state.asked.append(wanted)
            if state.status != 200:
                self.send_error(state.status)
                return
            start = 0
            if wanted and state.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(state.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                whole = len(state.content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            else:
                self.send_response(200)
            rest = state.content[start:]
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest if state.cut is None else rest[: state.cut])

        def log_message(self, *details: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    state.url = f"http://127.0.0.1:{listening.server_address[1]}/text8.zip"
    monkeypatch.setitem(download.DATASETS, "text8", replace(MEANT, url=state.url))
    monkeypatch.setattr(download, "PAUSE", 0.001)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.chdir(tmp_path)
    yield state
    listening.shutdown()
    thread.join()
    listening.server_close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetched_checked_and_unpacked(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "get", "text8"]) == 0
    assert (tmp_path / "text8").read_bytes() == TEXT
    assert capsys.readouterr().out == f"text8: fetched and checked, {len(TEXT):,} bytes\n"
    assert names(tmp_path) == ["text8"]
    # A second time there is nothing to do.
    assert main(["data", "get", "text8"]) == 0
    assert "there already" in capsys.readouterr().out
    assert server.asked == [None]


def test_another_place_and_another_file(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    download.DATASETS["text8"] = replace(MEANT, url="http://127.0.0.1:1/nowhere")
    (tmp_path / "folder").mkdir()
    options = ["--url", server.url, "--quiet"]
    assert main(["data", "get", "text8", "--output", "folder", *options]) == 0
    assert main(["data", "get", "text8", "-o", "folder/mine.txt", *options]) == 0
    assert names(tmp_path / "folder") == ["mine.txt", "text8"]
    assert capsys.readouterr().out == ""


def test_it_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text8.zip.part").write_bytes(ARCHIVE[:1000])
    assert main(["data", "get", "text8"]) == 0
    assert server.asked == ["bytes=1000-"]
    assert (tmp_path / "text8").read_bytes() == TEXT


def test_a_connection_that_ends_early_is_made_again(server: Server, tmp_path: Path) -> None:
    server.cut = len(ARCHIVE) // 8
    assert main(["data", "get", "text8"]) == 0
    assert (tmp_path / "text8").read_bytes() == TEXT
    assert len(server.asked) >= 8
    assert server.asked[:2] == [None, f"bytes={server.cut}-"]


def test_a_server_that_cannot_resume_sends_all_of_it(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "text8.zip.part").write_bytes(b"something else")
    assert main(["data", "get", "text8"]) == 0
    assert (tmp_path / "text8").read_bytes() == TEXT


def test_an_archive_that_is_here_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text8.zip.part").write_bytes(ARCHIVE)
    assert main(["data", "get", "text8"]) == 0
    assert server.asked == []


def test_a_part_that_is_too_long_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text8.zip.part").write_bytes(ARCHIVE + b"more")
    assert main(["data", "get", "text8"]) == 0
    assert server.asked == [None]


@pytest.mark.parametrize(
    ("status", "asked", "message"), [(404, 1, "404 Not Found"), (503, 5, "503 Service Unavailable")]
)
def test_a_server_that_says_no(
    status: int,
    asked: int,
    message: str,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.status = status
    assert main(["data", "get", "text8"]) == 2
    assert message in capsys.readouterr().err
    assert len(server.asked) == asked
    assert names(tmp_path) == []


def test_a_server_that_is_not_there(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text8.zip.part").write_bytes(ARCHIVE[:1000])
    assert main(["data", "get", "text8", "--url", "http://127.0.0.1:1/text8.zip"]) == 2
    assert f"1,000 of {len(ARCHIVE):,} bytes are in text8.zip.part" in capsys.readouterr().err
    assert main(["data", "get", "text8", "--url", "file:///etc/passwd"]) == 2
    assert "is not an address" in capsys.readouterr().err
    assert names(tmp_path) == ["text8.zip.part"]


def damaged() -> bytes:
    middle = len(ARCHIVE) // 2
    return ARCHIVE[:middle] + bytes(100) + ARCHIVE[middle + 100 :]


def filled(archive: bytes) -> bytes:
    """Another archive of the same size; zip files may begin with anything."""
    return bytes(len(ARCHIVE) - len(archive)) + archive


OTHERS = {
    "longer": (ARCHIVE + b"x", "offers a file of"),
    "damaged": (damaged(), "or is damaged"),
    "no archive": (bytes(len(ARCHIVE)), "is not the archive of text8, or is damaged"),
    "other member": (filled(zipped(other=TEXT[:1000])), "no item named 'text8'"),
    "other text": (filled(zipped(text8=bytes(len(TEXT)))), "has the MD5"),
    "bomb": (filled(zipped(text8=bytes(len(TEXT) * 100))), f"not {len(TEXT):,}"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_the_text_is_thrown_away(
    name: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.content, message = OTHERS[name]
    assert main(["data", "get", "text8"]) == 2
    assert message in capsys.readouterr().err
    assert names(tmp_path) == []


def test_an_archive_that_understates_its_text(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The directory says the size that is meant; in truth there is a hundred times as much.
    true, false = (len(TEXT) * 100).to_bytes(4, "little"), len(TEXT).to_bytes(4, "little")
    bomb = zipped(text8=bytes(len(TEXT) * 100))
    assert bomb.count(true) >= 2
    server.content = filled(bomb.replace(true, false))
    assert main(["data", "get", "text8"]) == 2
    assert "error: " in capsys.readouterr().err
    assert names(tmp_path) == []


def test_other_files_are_not_overwritten(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text8").write_bytes(b"mine")
    assert main(["data", "get", "text8"]) == 2
    assert "text8 exists and is not text8" in capsys.readouterr().err
    assert (tmp_path / "text8").read_bytes() == b"mine"
    assert server.asked == []
    assert main(["data", "get", "text8", "--force"]) == 0
    assert (tmp_path / "text8").read_bytes() == TEXT
    assert main(["data", "get", "text8", "-o", "nowhere/text8"]) == 2
    assert "nowhere is not a directory" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_fetched(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.cut = 1000
    with monkeypatch.context() as patch:
        patch.setattr(download, "_offered", interrupt_at(2))
        assert main(["data", "get", "text8"]) == 130
    assert "what was fetched is in text8.zip.part" in capsys.readouterr().err
    assert names(tmp_path) == ["text8.zip.part"]
    server.cut = None
    assert main(["data", "get", "text8"]) == 0
    assert server.asked[-1] == "bytes=1000-"
    assert names(tmp_path) == ["text8"]


def interrupt_at(call: int) -> object:
    calls = 0

    def offered(*arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return len(ARCHIVE)

    return offered


def test_names_of_texts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "text9"]) == 2
    assert "text8" in capsys.readouterr().err
    assert main(["data", "get", "--help"]) == 0
    assert "17 million words" in " ".join(capsys.readouterr().out.split())
