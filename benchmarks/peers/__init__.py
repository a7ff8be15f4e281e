"""The peers: other libraries at the same tasks. A library is imported when its peer is first asked for."""

from __future__ import annotations

import importlib

from .common import Answer, Floats, Peer, Plan, in_chunks

OURS, DIRECT = "conse_fast", "every label directly"
CATALOGUE = {
    "select": {
        OURS: "ours:Select",
        "NumPy": "numpy_peer:Select",
        "PyTorch": "torch_peer:Select",
        "ONNX Runtime": "onnx_peer:Select",
    },
    "combine": {
        OURS: "ours:Combine",
        "NumPy": "numpy_peer:Combine",
        "PyTorch": "torch_peer:Combine",
        "ONNX Runtime": "onnx_peer:Combine",
    },
    "dense": {
        OURS: "ours:Dense",
        "NumPy": "numpy_peer:Dense",
        "PyTorch": "torch_peer:Dense",
        "ONNX Runtime": "onnx_peer:Dense",
        "FAISS flat": "faiss_peer:FlatDense",
        "scikit-learn": "sklearn_peer:BruteDense",
        "USearch exact": "usearch_peer:ExactDense",
    },
    "index": {
        OURS: "ours:Index",
        "conse_fast compact": "ours:CompactIndex",
        "NumPy": "numpy_peer:Index",
        "SciPy table": "scipy_peer:TableIndex",
        "PyTorch": "torch_peer:Index",
        "PyTorch table": "torch_peer:TableIndex",
        "ONNX Runtime": "onnx_peer:Index",
        "ONNX Runtime table": "onnx_peer:TableIndex",
        "FAISS flat": "faiss_peer:FlatIndex",
        "scikit-learn": "sklearn_peer:BruteIndex",
        "USearch exact": "usearch_peer:ExactIndex",
        "FAISS HNSW": "faiss_peer:HnswIndex",
    },
    "hard": {
        OURS: "ours:Index",
        "conse_fast compact": "ours:CompactIndex",
        DIRECT: "ours:Direct",
    },
}


def load(task: str, name: str) -> type[Peer]:
    """The peer's class. Raises ImportError where its library is missing."""
    module, class_name = CATALOGUE[task][name].split(":")
    return getattr(importlib.import_module(f".{module}", __name__), class_name)


__all__ = ["CATALOGUE", "DIRECT", "OURS", "Answer", "Floats", "Peer", "Plan", "in_chunks", "load"]
