"""Keep freed tensors in the process: glibc returns blocks over 32 MB to the kernel, and every new one faults in.

Three mallopt settings make large temporaries several times cheaper on the CPU. Linux with glibc only. Nothing here
runs on import: the command line and the scripts call it, and NEUROGEN_TUNE_ALLOCATOR=0 turns it off.
"""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
TOP_PAD = 64 << 20


def tune_allocator() -> bool:
    """Whether the settings are now in force; call before the first large tensor."""
    if os.environ.get("NEUROGEN_TUNE_ALLOCATOR") == "0" or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, TOP_PAD))
    return all(mallopt(key, value) for key, value in settings)
