"""Synonyms, looked up among word vectors."""

from __future__ import annotations

from functools import lru_cache

from conse_fast.vocabulary.coverage import NONE, SOME_WORDS, WHOLE, WORDS, SynonymCoverage
from conse_fast.vocabulary.names import NameRules
from conse_fast.word_vectors import WordVectors


class Lookup:
    """Rules and word vectors.

    Attributes:
        vectors: The word vectors.
        rules: How synonyms are looked up.
    """

    def __init__(self, vectors: WordVectors, rules: NameRules) -> None:
        self.vectors = vectors
        self.rules = rules
        self._row_of = vectors.row_of
        self._word = lru_cache(maxsize=None)(self._find_word)

    def find(self, synonym: str) -> tuple[SynonymCoverage, list[int]]:
        """What became of a synonym, and the rows of the word vectors whose mean it is."""
        words = self.rules.words(synonym)
        if len(words) > 1:
            whole = self._first(self.rules.whole_spellings(words))
            if whole is not None:
                return SynonymCoverage(synonym, WHOLE, (whole,), ()), [self._row_of[whole]]
        found: list[str] = []
        unknown: list[str] = []
        for word in words:
            spellings, missing = self._word(word)
            found += spellings
            unknown += missing
        if not found or (unknown and not self.rules.some_words):
            return SynonymCoverage(synonym, NONE, (), tuple(unknown)), []
        how = SOME_WORDS if unknown else WHOLE if len(words) == len(found) == 1 else WORDS
        return SynonymCoverage(synonym, how, tuple(found), tuple(unknown)), [self._row_of[word] for word in found]

    def _find_word(self, word: str) -> tuple[list[str], list[str]]:
        """The spellings whose vectors a word takes, and what of it has none."""
        spellings, parts = self.rules.word_spellings(word)
        whole = self._first(spellings)
        if whole is not None:
            return [whole], []
        found = [self._first(self.rules.whole_spellings([part])) for part in parts]
        if not any(found):
            return [], [word]
        return [part for part in found if part is not None], [
            part for part, spelling in zip(parts, found) if spelling is None
        ]

    def _first(self, spellings: list[str]) -> str | None:
        return next((spelling for spelling in spellings if spelling in self._row_of), None)
