"""Exact zero-shot ranking by convex combination of semantic embeddings (ConSE), fast on a CPU.

ConSE (Norouzi et al. 2013, arXiv 1312.5650) gives images labels that their classifier was never trained on.
For one image with class probabilities ``p``:

1. keep the ``top_t`` most probable classes ``t``;
2. ``f = sum_t p_t s_t / sum_t p_t``, with ``s_t`` the embedding of class ``t``;
3. rank the labels by ``cos(f, label embedding)`` and return the best ``k``.

`ConseIndex` prepares labels once and ranks them in microseconds; `conse` does the whole in one call without an
index; `top_k`, `convex_combination` and `cosine_rank` are its three steps. `read_word_vectors` and `embed_labels`
make the embeddings that it needs from the names of classes and labels; `metrics` says how good a ranking is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from conse_fast import _core
from conse_fast._candidates import Candidates
from conse_fast._explanation import Difference, Explanation
from conse_fast._facts import Plan
from conse_fast._index import ConseIndex
from conse_fast._index_labels import LabelSets
from conse_fast._limits import Limits, measure_limits
from conse_fast._names import Names
from conse_fast._primitives import conse, convex_combination, cosine_rank, top_k
from conse_fast._ranking import BestSeenAndUnseen, Ranking
from conse_fast._reachability import Reachability

if TYPE_CHECKING:
    from conse_fast import metrics
    from conse_fast.evaluation import evaluate
    from conse_fast.vocabulary import Coverage, LabelEmbeddings, NameRules, embed_labels, read_hierarchy
    from conse_fast.word_vectors import WordVectors, read_word_vectors

# Imported when they are asked for: programs that rank do without them.
_LATER = {
    "Coverage": "conse_fast.vocabulary",
    "LabelEmbeddings": "conse_fast.vocabulary",
    "NameRules": "conse_fast.vocabulary",
    "WordVectors": "conse_fast.word_vectors",
    "embed_labels": "conse_fast.vocabulary",
    "evaluate": "conse_fast.evaluation",
    "metrics": "conse_fast.metrics",
    "read_hierarchy": "conse_fast.vocabulary",
    "read_word_vectors": "conse_fast.word_vectors",
}

__version__: str = _core.version


def target() -> str:
    """Name of the kernels in use, such as ``"x86-64-v4"``.

    The best that the CPU supports, or what the environment variable ``CONSE_FAST_TARGET`` names; it is read at
    every call.

    Raises:
        ValueError: The variable names none of `targets`.
    """
    return _core.current_target()


def targets() -> tuple[str, ...]:
    """Names of the kernels that this build holds and this CPU supports, best first; the last is ``"generic"``."""
    return _core.supported_targets()


def max_threads() -> int:
    """Threads that ``n_threads=None`` means now: the affinity mask, ``OMP_NUM_THREADS`` and threadpoolctl count."""
    return _core.max_threads()


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'conse_fast' has no attribute {name!r}")
    module = importlib.import_module(_LATER[name])
    value = globals()[name] = module if module.__name__ == f"conse_fast.{name}" else getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "BestSeenAndUnseen",
    "Candidates",
    "ConseIndex",
    "Coverage",
    "Difference",
    "Explanation",
    "LabelEmbeddings",
    "LabelSets",
    "Limits",
    "NameRules",
    "Names",
    "Plan",
    "Ranking",
    "Reachability",
    "WordVectors",
    "__version__",
    "conse",
    "convex_combination",
    "cosine_rank",
    "embed_labels",
    "evaluate",
    "max_threads",
    "measure_limits",
    "metrics",
    "read_hierarchy",
    "read_word_vectors",
    "target",
    "targets",
    "top_k",
]
