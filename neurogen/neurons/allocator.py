"""Keep freed tensors in the process: glibc returns blocks over 32 MB to the kernel, and every new one faults in.

Three mallopt settings make large temporaries several times cheaper on the CPU. Linux with glibc only. Nothing here
runs on import: the command line and the scripts call it, and NEUROGEN_TUNE_ALLOCATOR=0 turns it off.
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
TOP_PAD = 64 << 20


def why_not_tuned() -> str | None:
    """Why `tune_allocator` will do nothing here, or None."""
    if os.environ.get("NEUROGEN_TUNE_ALLOCATOR") == "0":
        return "not tuned: NEUROGEN_TUNE_ALLOCATOR=0"
    return None if platform.libc_ver()[0] == "glibc" else "not tuned: it is not glibc's"


def tune_allocator() -> bool:
    """Whether the settings are now in force; call before the first large tensor."""
    if why_not_tuned() is not None:
        return False
    mallopt = ctypes.CDLL("libc.so.6").mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, TOP_PAD))
    return all(mallopt(key, value) for key, value in settings)
