"""Learning curves as TensorBoard reads them: its event files, without its package.

A record is its length, the length's checksum, an Event message of protocol buffers, and the message's checksum.
"""

import os
import socket
import struct
import time
from pathlib import Path

POLYNOMIAL, MASK = 0x82F63B78, 0xA282EAD8
DOUBLE, VARINT, BYTES, FLOAT = 1, 0, 2, 5


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


TABLE = [_remainder(byte) for byte in range(256)]


class TensorBoardWriter:
    """One event file, of this process; a run that is taken up again writes another, as TensorBoard expects."""

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}"
        self.file = folder / name

    def write(self, step: int, values: dict[str, float]) -> None:
        """Append scalars by tag."""
        begins = not self.file.exists()
        with self.file.open("ab") as file:
            if begins:
                file.write(_record(_event(0) + _field(3, BYTES, b"brain.Event:2")))
            summary = b"".join(_field(1, BYTES, _scalar(tag, value)) for tag, value in values.items())
            file.write(_record(_event(step) + _field(5, BYTES, summary)))


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _record(message: bytes) -> bytes:
    length = struct.pack("<Q", len(message))
    return length + _checksum(length) + message + _checksum(message)


def _checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + MASK) & 0xFFFFFFFF)


def _event(step: int) -> bytes:
    return _field(1, DOUBLE, struct.pack("<d", time.time())) + _field(2, VARINT, _varint(step))


def _scalar(tag: str, value: float) -> bytes:
    return _field(1, BYTES, tag.encode()) + _field(2, FLOAT, struct.pack("<f", value))


def _field(number: int, wire: int, content: bytes) -> bytes:
    return bytes([number << 3 | wire]) + (_varint(len(content)) if wire == BYTES else b"") + content


def _varint(number: int) -> bytes:
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + _varint(rest) if rest else bytes([head])
