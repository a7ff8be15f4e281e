"""Word vectors: from the files that word2vec, GloVe and fastText write, arrays with a word list, or gensim.

`read_word_vectors` reads a file and keeps the words that are asked for; `WordVectors` is what it returns.
"""

from __future__ import annotations

from conse_fast.word_vectors.collection import WordVectors
from conse_fast.word_vectors.formats import FORMATS
from conse_fast.word_vectors.reading import read_word_vectors

__all__ = ["FORMATS", "WordVectors", "read_word_vectors"]
