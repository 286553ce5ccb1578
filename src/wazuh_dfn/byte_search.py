"""StringZilla's functions, as the methods of bytes but several times as fast; always to be had from here.

`find_first_of` counts bytes where `str` counts characters, and can't take lone surrogates: give it ASCII alone.
"""

from __future__ import annotations

from collections.abc import Callable

import stringzilla

if "westmere" in stringzilla.__capabilities__ and "haswell" not in stringzilla.__capabilities__:
    # Up to 5.3.2, what is meant for SSE4.2 holds BMI1 instructions. Processors without AVX2 die of them (SIGILL), as do virtual
    # machines of the type x86-64-v2. The portable functions are no slower than the methods of bytes.
    stringzilla.reset_capabilities(["serial"])

find: Callable[..., int] = stringzilla.find
count: Callable[..., int] = stringzilla.count
find_first_of: Callable[[str, str], int] = stringzilla.find_first_of
translate: Callable[[bytes, bytes], bytes] = stringzilla.translate
