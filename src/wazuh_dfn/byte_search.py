"""StringZilla's functions, which do the same as the methods of bytes but several times as fast.

Import them only from here. `find_first_of` counts bytes where `str` counts characters, and cannot take lone surrogates, so it may only get
ASCII.
"""

from __future__ import annotations

from collections.abc import Callable

import stringzilla

if "westmere" in stringzilla.__capabilities__ and "haswell" not in stringzilla.__capabilities__:
    # Up to 5.3.2, the code for SSE4.2 contains BMI1 instructions. It crashes (SIGILL) on processors without AVX2, and on virtual machines
    # of the type x86-64-v2. The portable functions are no slower than the methods of bytes.
    stringzilla.reset_capabilities(["serial"])

find: Callable[..., int] = stringzilla.find
count: Callable[..., int] = stringzilla.count
find_first_of: Callable[[str, str], int] = stringzilla.find_first_of
translate: Callable[[bytes, bytes], bytes] = stringzilla.translate
