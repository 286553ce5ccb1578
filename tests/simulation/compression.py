"""What sites compress rotated files with, as far as this Python can."""

import bz2
import gzip
import lzma
from functools import partial

try:
    from compression import zstd
except ImportError:  # new in Python 3.14
    zstd = None

PACK = {".gz": partial(gzip.compress, compresslevel=1, mtime=0), ".xz": lzma.compress, ".bz2": bz2.compress}
_UNPACK = {".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress}
if zstd is not None:
    PACK[".zst"], _UNPACK[".zst"] = zstd.compress, zstd.decompress


def unpacked(name, data):
    """Return the content of a file. A compressed one that is not whole has none."""
    unpack = next((unpack for suffix, unpack in _UNPACK.items() if name.endswith(suffix)), bytes)
    try:
        return unpack(bytes(data))
    except Exception:  # noqa: BLE001 - each module has errors of its own
        return b""
