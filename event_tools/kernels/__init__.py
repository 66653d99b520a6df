"""Compiled loops (numba), one file a subject, each imported only inside the function that calls it.

What is compiled is kept beside these files or in the user's cache. Where neither may be written (a container, a system
account without a home), numba would refuse to import them: then it is kept in a private folder until the process ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def choose_cache() -> None:
    """See that numba finds a place for compiled code; processes that are started from here find the same."""
    import numba
    from numba.misc.appdirs import AppDirs

    places = (Path(__file__).parent / "__pycache__", Path(AppDirs(appname="numba", appauthor=False).user_cache_dir))
    if numba.config.CACHE_DIR or any(map(_writable, places)):
        return
    folder = tempfile.mkdtemp(prefix="event-tools-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = folder


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            return True
    except OSError:
        return False


choose_cache()
