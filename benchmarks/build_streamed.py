"""Builds an index from mapped files into a file; prints the seconds, its own peak memory and the file's size.

python build_streamed.py class_embeddings.npy label_embeddings.npy index.safetensors THREADS
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np

import conse_fast as cf


def status(name: str) -> int:
    """A size of this process, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(rf"{name}:\s+(\d+) kB", text).group(1)) * 1024


class PrivatePeak(threading.Thread):
    """The most memory seen that is not a mapped file; the system keeps no peak of that."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes, self.done = 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.02):
            self.bytes = max(self.bytes, status("RssAnon"))


def main() -> None:
    classes, labels, path, n_threads = sys.argv[1:]
    private, start = PrivatePeak(), time.perf_counter()
    private.start()
    cf.ConseIndex.build(np.load(classes), np.load(labels, mmap_mode="r"), path=path, n_threads=int(n_threads)).close()
    seconds = time.perf_counter() - start
    private.done.set()
    # VmHWM counts resident pages of mapped files too. getrusage would count what the parent had before the exec.
    found = {"peak_bytes": status("VmHWM"), "private_bytes": private.bytes, "file_bytes": Path(path).stat().st_size}
    print(json.dumps({"build_seconds": seconds, **found}))


if __name__ == "__main__":
    main()
