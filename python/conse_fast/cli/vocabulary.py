"""Options that say how names become embeddings, and their use; `embed` and `build` share them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

import click

from conse_fast import Coverage, LabelEmbeddings, NameRules, WordVectors, embed_labels, read_hierarchy
from conse_fast._array_files import split_source
from conse_fast.cli.errors import CliError
from conse_fast.cli.inputs import NameList, join_names, read_names
from conse_fast.cli.options import is_given
from conse_fast.cli.outputs import whole_file
from conse_fast.cli.terminal import ProgressBar
from conse_fast.vocabulary.names import CASES, HYPHENS
from conse_fast.word_vectors import FORMATS, read_word_vectors

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--vectors",
        metavar="FILE",
        help="Word vectors: GloVe, word2vec or fastText, also gzipped; or an array and its word list.",
    ),
    click.option(
        "--word-list",
        metavar="FILE",
        help="The words of an array's rows, one a line. [default: the array's name, .txt]",
    ),
    click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS),
        show_default="what its first bytes say",
        help="What kind of file the word vectors are.",
    ),
    click.option("--skip-bad-lines", is_flag=True, help="Leave bad lines of the word vectors out, and count them."),
    click.option(
        "--hierarchy",
        metavar="FILE",
        help="'parent child' lines of ids (or names): a label without a known word takes its nearest ancestors' mean.",
    ),
    click.option(
        "--hierarchy-names",
        metavar="FILE",
        help="'id<TAB>name' lines of ancestors that are neither class nor label, so that they lend too.",
    ),
    click.option("--separator", default=",", show_default=True, metavar="TEXT", help="What stands between synonyms."),
    click.option(
        "--spaces", default="_", show_default=True, metavar="CHARS", help="Characters that stand for a space in names."
    ),
    click.option("--no-phrases", is_flag=True, help="Do not look for phrases such as polar_bear, only for words."),
    click.option(
        "--case",
        type=click.Choice(CASES),
        default="fallback",
        show_default=True,
        help="Look words up as written, then in other cases; or in lower case, or as written only.",
    ),
    click.option(
        "--hyphens",
        type=click.Choice(HYPHENS),
        default="fallback",
        show_default=True,
        help="Look for a hyphen as written, then cut words at it; or always cut, or never.",
    ),
    click.option("--all-words", is_flag=True, help="Leave out synonyms of which some word is unknown."),
)

per_synonym_option = click.option(
    "--per-synonym",
    is_flag=True,
    help="Give a label a vector per synonym; the largest score counts. [default: one, their mean]",
)

report_option = click.option("--report", metavar="FILE", help="Write the coverage report to this file, as JSON.")


def vocabulary_options(command: _Command) -> _Command:
    """Adds the options whose values `Vocabulary` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True)
class Vocabulary:
    """What the options say. `vectors` is None where none were given."""

    vectors: str | None
    word_list: str | None
    format_: str | None
    skip_bad_lines: bool
    hierarchy: str | None
    hierarchy_names: str | None
    separator: str
    spaces: str
    no_phrases: bool
    case: str
    hyphens: str
    all_words: bool

    @property
    def rules(self) -> NameRules:
        """How names are looked up."""
        return NameRules(
            separator=self.separator,
            spaces=self.spaces,
            phrases=not self.no_phrases,
            case=self.case,
            hyphens=self.hyphens,
            some_words=not self.all_words,
        )

    @property
    def files(self) -> list[str]:
        """The files that are read."""
        named = (self.vectors and split_source(self.vectors)[0], self.word_list, self.hierarchy, self.hierarchy_names)
        return [path for path in named if path]

    def require_vectors(self, ctx: click.Context) -> None:
        """Refuses options that do nothing without word vectors.

        Raises:
            click.UsageError: One was given, and no ``--vectors``.
        """
        for option in ctx.command.params:
            of_vectors = option.name in (*asdict(self), "per_synonym", "report")
            if of_vectors and is_given(option.name) and self.vectors is None:
                raise click.UsageError(f"{option.opts[0]} goes with --vectors", ctx)

    @cached_property
    def _lenders(self) -> NameList:
        """Ancestors that are embedded with the labels and then left out."""
        if self.hierarchy_names is None:
            return NameList([], [])
        if self.hierarchy is None:
            raise CliError("--hierarchy-names goes with --hierarchy")
        lenders = read_names(self.hierarchy_names, None, "ancestor", skip_header=False)
        if lenders.ids is None:
            raise CliError(f"{self.hierarchy_names} holds names without ids; expected id<TAB>name lines")
        return lenders

    def read(self, names: list[str]) -> WordVectors:
        """Reads what may be looked up for these names.

        Raises:
            CliError: The file of word vectors is broken.
        """
        if self.vectors is None:
            raise CliError("names need word vectors; give --vectors FILE")
        try:
            with ProgressBar("reading word vectors") as progress:
                return read_word_vectors(
                    self.vectors,
                    self.rules.lookups([*names, *(self._lenders.names or [])]),
                    format=self.format_,
                    word_list=self.word_list,
                    on_bad_line="skip" if self.skip_bad_lines else "raise",
                    progress=progress,
                )
        except ValueError as error:
            message = str(error).replace('on_bad_line="skip"', "--skip-bad-lines").replace("word_list", "--word-list")
            raise CliError(message) from error

    def embed(self, names: NameList, vectors: WordVectors, per_synonym: bool) -> LabelEmbeddings:
        """Embeddings of all these names."""
        hierarchy = read_hierarchy(self.hierarchy) if self.hierarchy else ()
        both = join_names([names, self._lenders])
        made = embed_labels(
            both.names or [], vectors, ids=both.ids, hierarchy=hierarchy, rules=self.rules, per_synonym=per_synonym
        )
        return made[: len(names.names or [])]

    def write_report(self, path: str, vectors: WordVectors, parts: dict[str, Coverage]) -> None:
        """Writes a coverage report as JSON: word vectors, rules, and the coverage of each part."""
        facts = {
            "file": vectors.source,
            "dimension": vectors.dimension,
            "n_words": vectors.n_read,
            "n_repeated": vectors.n_repeated,
            "n_skipped": vectors.n_skipped,
            "problems": vectors.problems,
        }
        report = {"word_vectors": facts, "rules": asdict(self.rules), "hierarchy": self.hierarchy}
        report.update({part: coverage.to_dict() for part, coverage in parts.items()})
        with whole_file(path) as file:
            file.write(json.dumps(report, ensure_ascii=False, indent=1).encode() + b"\n")
