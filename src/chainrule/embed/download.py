"""Texts from the net: fetched on from where they stopped, checked, and unpacked with limits."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chainrule.errors import ChainruleError
from chainrule.files import written_whole

CHUNK = 1 << 18
# Seconds without a byte after which a connection counts as lost.
PATIENCE = 30
# How often a lost connection is made again, and the seconds before that; they double each time.
TRIES = 5
PAUSE = 1.0


class DownloadError(ChainruleError):
    """A text that could not be fetched, or is not the one that was meant."""


@dataclass(frozen=True)
class Dataset:
    """A text in a zip archive on the net.

    Attributes:
        name: also of the file it becomes.
        url: of the archive.
        archive_size: its bytes.
        member: the text's name in it.
        size: the text's bytes.
        md5: the text's checksum, in hexadecimal.
        about: what it is, in a line.
    """

    name: str
    url: str
    archive_size: int
    member: str
    size: int
    md5: str
    about: str


DATASETS = {
    "text8": Dataset(
        name="text8",
        url="http://mattmahoney.net/dc/text8.zip",
        archive_size=31_344_016,
        member="text8",
        size=100_000_000,
        md5="3bea1919949baf155f99411df5fada7e",
        about="English Wikipedia of 2006, letters and spaces only: 17 million words in one line",
    )
}

Report = Callable[[int], None]


def get(dataset: Dataset, output: Path, *, url: str | None = None, report: Report) -> bool:
    """Fetch and unpack a text; where it is there already, nothing is done.

    What was fetched of the archive lies beside the text, in ``part_of(output)``, until all of it is
    there; the next call goes on with it.

    Args:
        dataset: which text.
        output: where it goes; it is whole and checked, or not there.
        url: another place of the same archive.
        report: is told how many bytes of the archive are here.

    Returns:
        Whether there was anything to do.

    Raises:
        DownloadError: where the archive cannot be fetched, or is another one.
    """
    if is_there(dataset, output):
        return False
    part = part_of(output)
    fetch(url or dataset.url, part, dataset.archive_size, report)
    try:
        unpack(part, dataset, output)
    except DownloadError:
        part.unlink()
        raise
    part.unlink()
    return True


def part_of(output: Path) -> Path:
    """Where the archive lies until it is complete."""
    return output.with_name(f"{output.name}.zip.part")


def is_there(dataset: Dataset, output: Path) -> bool:
    """Whether a file is the text, to the last byte."""
    if not output.is_file() or output.stat().st_size != dataset.size:
        return False
    with open(output, "rb") as file:
        return _md5(file, None, dataset.size) == dataset.md5


def fetch(url: str, part: Path, size: int, report: Report) -> None:
    """Bring a file to its full size, going on with what is there of it.

    Raises:
        DownloadError: for an address that is not http, a server that says no, a file of another
            size, or a connection that is lost again and again.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url} is not an address that begins with http:// or https://")
    pause = PAUSE
    failures = 0
    while (here := part.stat().st_size if part.exists() else 0) != size:
        if here > size:
            part.unlink()
            continue
        try:
            _continue(url, part, here, size, report)
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:
                part.unlink()
            elif error.code < 500:
                raise DownloadError(f"{url}: {error.code} {error.reason}") from None
            reason = f"{error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        now = part.stat().st_size if part.exists() else 0
        if now > here:
            failures, pause = 0, PAUSE
        elif now != size:
            failures += 1
            if failures == TRIES:
                raise DownloadError(
                    f"{url} cannot be fetched: {reason}; {now:,} of {size:,} bytes are in {part}, "
                    "and the next call goes on from there"
                )
            time.sleep(pause)
            pause *= 2


def _continue(url: str, part: Path, here: int, size: int, report: Report) -> None:
    """Append what the server sends from byte ``here`` on."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        if response.status != 206:
            here = 0  # a server that always sends all of it
        offered = _offered(response, here)
        if offered is not None and offered != size:
            raise DownloadError(
                f"{url} offers a file of {offered:,} bytes, but the one that is meant has {size:,}"
            )
        with open(part, "ab" if here else "wb") as file:
            while chunk := response.read1(min(CHUNK, size - here)):
                file.write(chunk)
                here += len(chunk)
                report(here)


def _offered(response: http.client.HTTPResponse, here: int) -> int | None:
    """The size of the whole file, as the server says it."""
    if response.status == 206:
        unit, _, span = response.headers.get("Content-Range", "").partition(" ")
        span, _, whole = span.partition("/")
        if unit != "bytes" or span.partition("-")[0] != str(here):
            raise DownloadError(f"the server answered a request for byte {here} with {span!r}")
        return int(whole) if whole.isdecimal() else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def unpack(archive: Path, dataset: Dataset, output: Path) -> None:
    """Write the text that is in an archive, and no more than its size.

    Raises:
        DownloadError: where the archive is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(dataset.member)
            if info.file_size != dataset.size:
                raise DownloadError(
                    f"{dataset.member} in the archive has {info.file_size:,} bytes, not "
                    f"{dataset.size:,}"
                )
            with opened.open(info) as member, written_whole(output, "wb") as file:
                found = _md5(member, file, dataset.size)
                if found != dataset.md5:
                    raise DownloadError(
                        f"{dataset.member} in the archive has the MD5 {found}, not {dataset.md5}: "
                        "it is another text, or was damaged on its way; try again"
                    )
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadError(
            f"what was fetched is not the archive of {dataset.name}, or is damaged ({error}); try "
            "again"
        ) from None


def _md5(source: IO[bytes], copy: IO[bytes] | None, size: int) -> str:
    """The checksum of a stream's first bytes, which are copied on the way."""
    checksum = hashlib.md5(usedforsecurity=False)
    while size > 0 and (chunk := source.read(min(CHUNK, size))):
        size -= len(chunk)
        checksum.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return checksum.hexdigest()
