"""How a label's name is taken apart, and in which spellings its parts are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CASES = ("fallback", "lower", "exact")
HYPHENS = ("fallback", "split", "keep")

# A phrase as one word: word2vec's phrases and ConceptNet Numberbatch write polar_bear, GloVe and fastText's crawls
# have polar-bear, lines with spaces (GloVe 840B), and hash tags like polarbear.
_JOINERS = ("_", "-", " ", "")


@dataclass(frozen=True)
class NameRules:
    """How names are looked up among word vectors. Every step can be switched off.

    A name is cut into synonyms, and these are looked up each for itself:

    1. As a whole (``phrases``): with ``_``, ``-``, a space or nothing between its words, in this order: ``polar_bear``,
       ``Polar_Bear``, ``Polar_bear``, ``POLAR_BEAR``, ``polar-bear``, ... A single word is such a phrase too.
    2. As its words, whose vectors are averaged. A word with a hyphen is looked up like a phrase, then cut at it.

    Each spelling is tried as written, then in lower case, with a capital on each word, on the first word, and in
    capitals (``case``). The first one that has a vector counts.

    Attributes:
        separator: What stands between synonyms; None or empty: the name is one.
        spaces: Characters that stand for a space, as in ``polar_bear`` (``"_+"`` also takes ``polar+bear``).
        phrases: Look synonyms of several words up as a whole first.
        case: ``"fallback"``: as written, then in other cases; ``"lower"``: in lower case; ``"exact"``: as written.
        hyphens: ``"fallback"``: a hyphen as written, then other spellings, then cut at it; ``"split"``: always cut at
            it; ``"keep"``: as written.
        some_words: Take the mean of the known words where others are unknown; else all must be known.
    """

    separator: str | None = ","
    spaces: str = "_"
    phrases: bool = True
    case: str = "fallback"
    hyphens: str = "fallback"
    some_words: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.separator, (str, type(None))):
            raise TypeError(f"separator must be a str or None, got {self.separator!r}")
        if not isinstance(self.spaces, str):
            raise TypeError(f"spaces must be a str, got {self.spaces!r}")
        for value, choices, field in ((self.case, CASES, "case"), (self.hyphens, HYPHENS, "hyphens")):
            if value not in choices:
                raise ValueError(f"{field} must be one of {', '.join(choices)}, got {value!r}")

    def synonyms(self, name: str) -> list[str]:
        """The parts of a name, without empty ones."""
        parts = name.split(self.separator) if self.separator else [name]
        return [part.strip() for part in parts if part.strip()]

    def words(self, synonym: str) -> list[str]:
        """The words of a synonym; hyphens stay, unless they are always cut at."""
        for character in self.spaces:
            synonym = synonym.replace(character, " ")
        if self.hyphens == "split":
            synonym = synonym.replace("-", " ")
        return synonym.split()

    def whole_spellings(self, words: list[str]) -> list[str]:
        """In which spellings these words are looked up as one, in order; none if there are several and no phrases."""
        if len(words) > 1 and not self.phrases:
            return []
        ways = [words]
        if self.hyphens == "fallback" and self.phrases and any("-" in word for word in words):
            ways.append(_cut(words))
        joiners = _JOINERS if any(len(way) > 1 for way in ways) else ("",)
        spellings = {joiner.join(cased): None for joiner in joiners for way in ways for cased in self._cases(way)}
        return list(spellings)

    def word_spellings(self, word: str) -> tuple[list[str], list[str]]:
        """In which spellings a word is looked up, and the parts that it is cut into when none of them is known."""
        parts = _cut([word]) if self.hyphens == "fallback" and "-" in word else []
        return self.whole_spellings([word]), parts

    def lookups(self, names: Iterable[str]) -> set[str]:
        """All spellings in which anything of these names may be looked up: the words to read of a file."""
        found: set[str] = set()
        for name in names:
            for synonym in self.synonyms(name):
                words = self.words(synonym)
                found.update(self.whole_spellings(words))
                for word in words:
                    whole, parts = self.word_spellings(word)
                    found.update(whole)
                    for part in parts:
                        found.update(self.whole_spellings([part]))
        return found

    def _cases(self, words: list[str]) -> Iterator[list[str]]:
        if self.case != "lower":
            yield words
        if self.case != "exact":
            lower = [word.lower() for word in words]
            yield lower
            if self.case == "fallback":
                yield [word.capitalize() for word in words]
                yield [word.capitalize() for word in words[:1]] + lower[1:]
                yield [word.upper() for word in words]


def _cut(words: list[str]) -> list[str]:
    """The words, cut at hyphens."""
    return " ".join(words).replace("-", " ").split()
