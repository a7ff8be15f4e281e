"""Where the embeddings of labels come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

WHOLE, WORDS, SOME_WORDS, ANCESTORS, NONE = HOW = ("whole", "words", "some words", "ancestors", "none")


class SynonymCoverage(NamedTuple):
    """How a synonym was found.

    Attributes:
        text: The synonym.
        how: ``"whole"``: as one word; ``"words"``: all of its words; ``"some words"``; or ``"none"``.
        found: Spellings whose vectors were taken.
        unknown: Words of it without a vector.
    """

    text: str
    how: str
    found: tuple[str, ...]
    unknown: tuple[str, ...]


class LabelCoverage(NamedTuple):
    """How a label came to its embedding.

    Attributes:
        name: Its name.
        label_id: Its id, the name if it has none.
        how: The first of `HOW` that any of its synonyms has; ``"ancestors"`` or ``"none"`` if none of them is known.
        level: 0 if the embedding is the label's own, d >= 1 if it comes from ancestors d steps up, -1 if there is none.
        synonyms: What became of each synonym.
        ancestors: Ids of the labels that it borrows from.
    """

    name: str
    label_id: str
    how: str
    level: int
    synonyms: tuple[SynonymCoverage, ...]
    ancestors: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """A report of how labels came to their embeddings; cut it with a slice, as `LabelEmbeddings`.

    Attributes:
        labels: One entry per label, in their order.
    """

    labels: tuple[LabelCoverage, ...]

    def counts(self) -> dict[str, int]:
        """How many labels came to their embeddings in which way, all of `HOW`."""
        counted = Counter(label.how for label in self.labels)
        return {how: counted[how] for how in HOW}

    def without_vector(self) -> list[int]:
        """Labels that have no embedding: they never rank."""
        return [i for i, label in enumerate(self.labels) if label.how == NONE]

    def unknown_words(self) -> dict[str, int]:
        """Words without a vector, and in how many synonyms; the most frequent first."""
        counted = Counter(word for label in self.labels for synonym in label.synonyms for word in set(synonym.unknown))
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values, for `json.dump`."""
        return {
            "n_labels": len(self.labels),
            "counts": self.counts(),
            "without_vector": [self.labels[i].name for i in self.without_vector()],
            "labels": [
                {**label._asdict(), "synonyms": [synonym._asdict() for synonym in label.synonyms]}
                for label in self.labels
            ],
        }

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, labels: slice) -> Coverage:
        """The report of some of the labels."""
        return Coverage(self.labels[labels])
