"""What the interpreter and glibc do with memory: as they come, that is a fifth of the time of a catch-up."""

from __future__ import annotations

import ctypes
import gc

GARBAGE_THRESHOLD = 20_000
"""So many objects more, and the youngest are looked through; Python's default is 700 or 2,000."""

KEPT_BYTES = 8 * 1024 * 1024
"""So much free memory at the end of the heap is kept for the next chunk; glibc's default follows the largest block that was freed."""
MAPPED_BYTES = 2 * 1024 * 1024
"""Blocks from this size on get a mapping of their own: chunks and batches, of half of that, do not."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h."""

_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Only glibc has them, and needs them."""


def spare_the_collector() -> None:
    """Let the garbage collector look at what the daemon works on alone, and less often.

    Alerts are trees of dictionaries without cycles, so it finds nothing in them; by default it takes 15 % of a catch-up.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)


def keep_what_chunks_need() -> None:
    """Let the next chunk have the memory of the last one, which otherwise goes back to the system and is fetched anew (8 %)."""
    if _mallopt is not None:
        _mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        _mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)


def return_what_is_free() -> None:
    """Give free memory back to the system, also that between blocks in use: 80 MB after 600 gzipped files in a row."""
    if _malloc_trim is not None:
        _malloc_trim(0)
