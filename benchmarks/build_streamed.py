"""Builds an index from mapped files into a file; prints the seconds, its own peak memory and the file's size.

python build_streamed.py class_embeddings.npy label_embeddings.npy index.safetensors THREADS
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import numpy as np

import conse_fast as cf


def peak_bytes() -> int:
    """Resident at most, mapped files included. getrusage would count what the parent had before this program began."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) * 1024


def main() -> None:
    classes, labels, path, n_threads = sys.argv[1:]
    start = time.perf_counter()
    cf.ConseIndex.build(np.load(classes), np.load(labels, mmap_mode="r"), path=path, n_threads=int(n_threads)).close()
    seconds = time.perf_counter() - start
    print(json.dumps({"build_seconds": seconds, "peak_bytes": peak_bytes(), "file_bytes": Path(path).stat().st_size}))


if __name__ == "__main__":
    main()
