"""What an index tells about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from conse_fast import _core
from conse_fast._label_texts import LabelTexts
from conse_fast._names import Names

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Self

_TEXTS = ("class_names", "class_ids", "label_names", "label_ids")


class Plan(NamedTuple):
    """How an index ranks.

    Attributes:
        arithmetic: ``"table"``: a label costs one product per kept class; ``"embeddings"``: one per dimension.
        bounded: Whether bounds decide which labels are scored; else all are, many images at a time.
        expected_fraction: Of the blocks of labels, those that a bounded search is expected to score.
        reason: Why, in a sentence.
    """

    arithmetic: str
    bounded: bool
    expected_fraction: float
    reason: str


class IndexFacts:
    """Sizes, names, metadata and lifetime of an opened index."""

    # What a single row's call reads, without a property or a dictionary in between: of `_opened` and `_names`.
    _rank_plain: _core._PlainRanker | None
    _label_names: Names | None
    _opened: _core.Index | None
    _path: str | None
    _info: dict[str, Any]
    _names: dict[str, Names]
    _places: LabelTexts | None

    @classmethod
    def _of(cls, core: _core.Index, path: str | None) -> Self:
        self = cls.__new__(cls)
        info = core.info()
        info.update({f"has_{which}": core.has_texts(which) for which in _TEXTS})
        self._opened = core
        self._rank_plain = core.plain_ranker()
        self._path = path
        self._info = info
        self._places = None
        self._names = {
            which: Names(core, which, info["n_classes" if which.startswith("class") else "n_labels"])
            for which in _TEXTS
            if core.has_texts(which)
        }
        self._label_names = self._names.get("label_names")
        return self

    @property
    def n_classes(self) -> int:
        """Seen classes: columns of the probabilities."""
        return int(self._info["n_classes"])

    @property
    def n_labels(self) -> int:
        """Candidate labels; their ids are ``range(n_labels)``."""
        return int(self._info["n_labels"])

    @property
    def n_rows(self) -> int:
        """Label embeddings held: rows with a direction."""
        return int(self._info["n_rows"])

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return int(self._info["dimension"])

    @property
    def compact(self) -> bool:
        """Whether the table of class x label scores is left out."""
        return bool(self._info["compact"])

    @property
    def nbytes(self) -> int:
        """Size of the file, or of the memory that holds its image."""
        return int(self._info["nbytes"])

    @property
    def path(self) -> str | None:
        """The file that is mapped, or None for an index in memory."""
        return self._path

    @property
    def class_names(self) -> Names | None:
        """Names of the classes, or None."""
        return self._texts("class_names")

    @property
    def label_names(self) -> Names | None:
        """Names of the labels, or None."""
        return self._texts("label_names")

    @property
    def class_ids(self) -> Names | None:
        """Ids of the classes, such as wnids, or None."""
        return self._texts("class_ids")

    @property
    def label_ids(self) -> Names | None:
        """Ids of the labels, such as wnids, or None."""
        return self._texts("label_ids")

    def _label_texts(self) -> LabelTexts:
        """Where labels of an id or name stand; read once."""
        if self._places is None:
            self._places = LabelTexts(self.label_ids, self.label_names)
        return self._places

    def _texts(self, which: str) -> Names | None:
        _ = self._handle
        return self._names.get(which)

    @property
    def label_class(self) -> npt.NDArray[np.int32]:
        """(L,) class id of each label, -1 for an unseen one; read-only."""
        return self._handle.label_class()

    def info(self) -> dict[str, Any]:
        """What the index holds, as a dictionary of plain values."""
        info = dict(self._info)
        info["form"] = "compact" if info.pop("compact") else "full"
        info["scored_fraction"] = float(info["scored_fraction"])
        info["path"] = self._path
        return info

    def close(self) -> None:
        """Lets go of the file or memory; it is unmapped when the last array and name sequence of it are gone."""
        self._opened = self._rank_plain = self._label_names = None
        self._names = {}

    def __enter__(self) -> Self:
        _ = self._handle
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed " if self._opened is None else ""
        where = f" at {self._path!r}" if self._path else " in memory"
        form = "compact" if self.compact else "full"
        try:
            target = _core.current_target()
        except ValueError:
            target = "unknown CONSE_FAST_TARGET"
        return (
            f"<{state}ConseIndex: {self.n_classes:,} classes, {self.n_labels:,} labels x {self.dimension}, "
            f"{form}, {self.nbytes / 1e6:.1f} MB{where}, {target}>"
        )

    @property
    def _handle(self) -> _core.Index:
        if self._opened is None:
            raise ValueError("the index is closed; open or build it again")
        return self._opened
