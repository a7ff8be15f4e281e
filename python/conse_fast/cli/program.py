"""The program ``conse-fast``: its options, its commands and how it ends."""

from __future__ import annotations

import traceback
from typing import Any, NoReturn

import click

from conse_fast.cli.bench import bench
from conse_fast.cli.build import build
from conse_fast.cli.demo import demo
from conse_fast.cli.embed import embed
from conse_fast.cli.errors import ClosedPipe, run_and_exit
from conse_fast.cli.evaluate import evaluate
from conse_fast.cli.explain import explain
from conse_fast.cli.inspect import info, verify
from conse_fast.cli.rank import rank
from conse_fast.cli.terminal import version_text


class Program(click.Group):
    """A group that lists its commands in the order of use and ends with one line instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order in which they were added."""
        return list(self.commands)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Reads the options, of which some print and exit."""
        try:
            return super().make_context(*args, **options)
        except BrokenPipeError:  # click would exit with 1
            raise ClosedPipe from None

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; with ``--debug`` an error shows where it comes from."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:  # click would write an empty line before it passes this one on
            raise click.Abort from None
        except BrokenPipeError:
            raise ClosedPipe from None
        except Exception:
            if ctx.params["debug"]:
                traceback.print_exc()
            raise

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Runs the program and exits."""
        options["standalone_mode"] = False
        run_and_exit(lambda: super(Program, self).main(*args, **options))


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(version_text())
        ctx.exit()


@click.group(
    "conse-fast",
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start here:
  conse-fast demo

\b
Your own labels:
  conse-fast build classes.txt labels.txt --vectors glove.6B.300d.txt -o index.safetensors
  conse-fast rank index.safetensors probabilities.npy -o ranking.csv""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version, the kernels in use (target) and the threads, and exit.",
)
@click.option(
    "--debug", is_flag=True, envvar="CONSE_FAST_DEBUG", help="Show the traceback of an error. Also: CONSE_FAST_DEBUG=1."
)
@click.pass_context
def program(ctx: click.Context, debug: bool) -> None:
    """Give images labels that their classifier was never trained on (zero-shot labels, ConSE).

    ConSE takes a classifier's most probable classes, mixes their embeddings by probability, and ranks any other
    labels by the cosine of their embeddings with the mix. The rankings are exact.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (demo, embed, build, info, verify, rank, evaluate, explain, bench):
    program.add_command(_command)
