"""The machine and the versions that a result belongs to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import psutil
import threadpoolctl

import conse_fast as cf

PACKAGES = ("conse_fast", "numpy", "scipy", "torch", "onnxruntime", "faiss-cpu", "scikit-learn", "usearch")


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "target": cf.target(),
        "versions": {package: version(package) for package in PACKAGES},
        "blas": sorted(
            {name_of(library) for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}
        ),
    }


def name_of(library: dict[str, Any]) -> str:
    return f"{library['internal_api']} {library['version']} ({library.get('architecture', 'unknown')})"
