"""Bytes to text: BOM, then UTF-8 without any error, then Windows-1252; never a guess by statistics.

A file that is UTF-8 already is left where it is; others are written once, in blocks, as UTF-8.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from salestrack.errors import ReadError

BLOCK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text file as UTF-8 with what was learnt on the way."""

    name: str
    path: Path
    sha256: str
    size: int
    encoding: str
    newlines: int
    ends_with_newline: bool
    ascii: bool
    footer: int = 0
    """Rows of totals that a layout took out."""


@dataclass(slots=True)
class _Scan:
    """One pass over the bytes: hash, line ends, and whether they are UTF-8."""

    sha256: str = ""
    size: int = 0
    newlines: int = 0
    returns: bool = False
    last: bytes = b""
    first: bytes = b""
    utf8: bool = True
    ascii: bool = True
    zero_line: int = 0


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def decode(path: Path, name: str, work: Path, sha256: str = "") -> Decoded:
    """The file as UTF-8 text (`Decoded.path`); `work` takes the copy of a file in another encoding,
    `sha256` saves working it out again.

    Raises ReadError for an empty file, a file with zero bytes and bytes that no known encoding has.
    """
    scan = _scan(path, sha256)
    if scan.size == 0:
        raise ReadError.empty(name)
    encoding = _encoding(scan)
    if scan.zero_line and not encoding.startswith(("utf-16", "utf-32")):
        raise ReadError.zero_bytes(name, scan.zero_line)
    only_returns = scan.newlines == 0 and scan.returns
    if encoding in ("utf-8", "utf-8-sig") and not only_returns:
        ends = scan.last == b"\n"
        return Decoded(name, path, scan.sha256, scan.size, encoding, scan.newlines, ends, scan.ascii)
    return _transcoded(path, name, work, scan, encoding, only_returns)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _scan(path: Path, sha256: str) -> _Scan:
    scan, digest = _Scan(), hashlib.sha256()
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        for block in _blocks(file):
            if not sha256:
                digest.update(block)
            scan.first = scan.first or block[:64]
            if not scan.zero_line and b"\0" in block:
                scan.zero_line = scan.newlines + block[: block.index(b"\0")].count(b"\n") + 1
            scan.newlines += block.count(b"\n")
            scan.returns = scan.returns or b"\r" in block
            scan.size += len(block)
            scan.last = block[-1:]
            _check_utf8(scan, decoder, block)
    if scan.utf8 and not scan.ascii:
        _check_utf8(scan, decoder, b"", final=True)
    scan.sha256 = sha256 or digest.hexdigest()
    return scan


def _check_utf8(scan: _Scan, decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> None:
    if not scan.utf8 or (scan.ascii and not final and block.isascii()):
        return
    scan.ascii = False
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        scan.utf8 = False


def _encoding(scan: _Scan) -> str:
    for bom, name in _BOMS:
        if scan.first.startswith(bom):
            return name
    even, odd = scan.first[0::2], scan.first[1::2]
    if scan.zero_line and odd and odd.count(0) > len(odd) * 0.8:
        return "utf-16-le"
    if scan.zero_line and even and even.count(0) > len(even) * 0.8:
        return "utf-16-be"
    return "utf-8" if scan.utf8 else "cp1252"


def _transcoded(path: Path, name: str, work: Path, scan: _Scan, encoding: str, only_returns: bool) -> Decoded:
    target = work / f"{scan.sha256[:16]}.txt"
    decoder = codecs.getincrementaldecoder(encoding)()
    newlines, last = 0, ""
    with path.open("rb") as source, target.open("w", encoding="utf-8", newline="") as file:
        for block in _ended(source):
            text = _decoded(decoder, block, name, newlines)
            text = text.replace("\r", "\n") if only_returns else text
            newlines += text.count("\n")
            last = text[-1:] or last
            file.write(text)
    return Decoded(name, target, scan.sha256, scan.size, encoding, newlines, last == "\n", False)


def _ended(file: BinaryIO) -> Iterator[bytes]:
    yield from _blocks(file)
    yield b""


def _decoded(decoder: codecs.IncrementalDecoder, block: bytes, name: str, lines: int) -> str:
    try:
        return decoder.decode(block, not block)
    except UnicodeDecodeError as error:
        line = lines + block[: error.start].count(b"\n") + 1
        raise ReadError.undecodable(name, line) from None
