"""Vocabularies: from the names of labels to their embeddings, and a report of where each of them came from.

`embed_labels` does it; `NameRules` says how names are looked up, `LabelEmbeddings` is the result, `Coverage` the
report, and `read_hierarchy` reads the file from which labels without a known word borrow.
"""

from __future__ import annotations

from conse_fast.vocabulary.coverage import Coverage, LabelCoverage, SynonymCoverage
from conse_fast.vocabulary.embeddings import LabelEmbeddings, embed_labels
from conse_fast.vocabulary.hierarchy import read_hierarchy
from conse_fast.vocabulary.names import NameRules

__all__ = [
    "Coverage",
    "LabelCoverage",
    "LabelEmbeddings",
    "NameRules",
    "SynonymCoverage",
    "embed_labels",
    "read_hierarchy",
]
