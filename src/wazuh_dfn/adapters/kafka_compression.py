"""gzip at the level that zlib, librdkafka and so rsyslog take: aiokafka knows no other than 9, which costs 1.6 times as much for 7 % fewer bytes."""

from __future__ import annotations

import zlib
from importlib import import_module

from aiokafka.record import default_records

GZIP_LEVEL = 6
_GZIP_HEADER = 16 + zlib.MAX_WBITS


def gzip_encode(payload: bytes) -> bytes:
    """Return the payload gzipped, without a time in its header."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_HEADER)
    return packer.compress(payload) + packer.flush()


def use_gzip_level() -> None:
    """Put it in place of aiokafka's, in the compiled module that builds batches (or its Python twin)."""
    module = import_module(default_records.DefaultRecordBatchBuilder.__module__)
    module.gzip_encode = gzip_encode  # type: ignore[attr-defined]
