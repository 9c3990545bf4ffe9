"""The size of the script that a shop's pages load."""

import gzip
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Row, at_most
from tests.bench.sizes import Sizes

__all__ = ["measure_pixel"]


def measure_pixel(_sizes: Sizes) -> Iterator[Row]:
    """Gzipped as it is served."""
    found = importlib.util.find_spec("connector.tiktok")
    assert found is not None
    assert found.origin is not None
    scripts = sorted((Path(found.origin).parent / "pixel").glob("*.js"))
    if not scripts:
        yield Row("pixel script, gzipped", "not measured: there is no script yet")
    for script in scripts:
        size = len(gzip.compress(script.read_bytes(), compresslevel=9, mtime=0))
        yield at_most(f"pixel script {script.name}, gzipped", size, "bytes", 3 * 1024)
