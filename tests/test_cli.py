"""The command line: help, version, errors, files, and what the screen shows."""

from __future__ import annotations

import errno
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest

import conse_fast as cf

click = pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

from click.testing import CliRunner  # noqa: E402

from conse_fast.cli import outputs, terminal  # noqa: E402
from conse_fast.cli import program as program_module  # noqa: E402

COMMANDS = ("demo", "embed", "build", "info", "verify", "rank", "evaluate", "explain", "bench")
N_CLASSES, N_LABELS, DIMENSION = 12, 90, 8


def run(*arguments, **options):
    """Runs the program in this process; the result has exit_code, stdout, stderr."""
    separate = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**separate).invoke(program_module.program, [str(argument) for argument in arguments], **options)


def start(*arguments, environment=(), **options):
    """Starts the program in a process of its own; what it prints is buffered, as it is for users."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "conse_fast", *map(str, arguments)]
    return subprocess.Popen(command, env={**variables, **dict(environment)}, **options)


def assert_fails(result, status, *fragments):
    """One readable line on standard error, and nothing else that could be taken for one."""
    assert result.exit_code == status, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("conse-fast: error: ")
    for fragment in fragments:
        assert fragment in lines[0]
    assert "Traceback" not in result.stdout


def make_embeddings():
    rng = np.random.default_rng(5)
    labels = rng.standard_normal((N_LABELS, DIMENSION)).astype(np.float32)
    labels[N_LABELS - 1] = 0
    return 3 * rng.standard_normal((N_CLASSES, DIMENSION)).astype(np.float32), labels


def make_names(of, count):
    return [f'{of} "{i}", the {i}th \N{LATIN SMALL LETTER E WITH ACUTE}' for i in range(count)]


def make_files(folder):
    """Embeddings, names and a damaged index beside a whole one, for all that is tested here."""
    classes, labels = make_embeddings()
    np.save(folder / "classes.npy", classes)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "three_dimensions.npy", labels[np.newaxis])
    np.save(folder / "objects.npy", np.array([{}, None], dtype=object))
    np.savez(folder / "archive.npz", labels)
    whole = (folder / "labels.npy").read_bytes()
    (folder / "no_header.npy").write_bytes(whole[:40])
    (folder / "half.npy").write_bytes(whole[: len(whole) // 2])
    (folder / "text.npy").write_text("hello")
    (folder / "class_names.txt").write_text("\n".join(make_names("class", N_CLASSES)) + "\n", encoding="utf-8")
    lines = [f"n{i:03}\t{name}" for i, name in enumerate(make_names("label", N_LABELS))]
    (folder / "label_names.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "with_header.tsv").write_text("\n".join(["id\tname", *lines]), encoding="utf-8")
    (folder / "mixed.tsv").write_text("\n".join([*lines[:-1], "no tab"]), encoding="utf-8")
    (folder / "three_columns.tsv").write_text("\n".join(["a\tb\tc"] * N_LABELS), encoding="utf-8")
    (folder / "latin1.txt").write_bytes("\n".join(make_names("class", N_CLASSES)).encode("latin-1"))
    index = cf.ConseIndex.build(
        classes,
        labels,
        class_names=make_names("class", N_CLASSES),
        label_names=make_names("label", N_LABELS),
        label_ids=[f"n{i:03}" for i in range(N_LABELS)],
    )
    index.save(folder / "index.safetensors")
    content = bytearray((folder / "index.safetensors").read_bytes())
    (folder / "truncated.safetensors").write_bytes(content[: len(content) // 2])
    content[-5000] ^= 1
    (folder / "damaged.safetensors").write_bytes(content)
    return folder


def visit(folder, monkeypatch):
    """The folder, as the current one; files that a test makes are gone after it."""
    monkeypatch.chdir(folder)
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        path.unlink()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return make_files(tmp_path_factory.mktemp("files"))


@pytest.fixture
def here(files, monkeypatch):
    yield from visit(files, monkeypatch)


# ------------------------------------------------------------------------------------------------ the program


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    threads = f"{cf.max_threads()} thread"
    assert result.stdout.startswith(f"conse-fast {cf.__version__}, target {cf.target()}, {threads}")


def test_help_lists_the_commands_in_the_order_of_use():
    for arguments in ([], ["--help"], ["-h"]):
        result = run(*arguments)
        assert result.exit_code == 0
        places = [result.stdout.index(f"\n  {command} ") for command in COMMANDS]
        assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: conse-fast {command} ")
    assert f"  conse-fast {command} " in result.stdout[result.stdout.index("Example") :]
    assert "\b" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_module_and_script_are_the_same_program():
    script = [sys.executable, "-c", "from conse_fast.cli import main; main(['--version'])"]
    module = [sys.executable, "-m", "conse_fast", "--version"]
    outputs = [subprocess.run(command, capture_output=True, check=True).stdout for command in (script, module)]
    assert outputs[0] == outputs[1] == run("--version").stdout.encode()


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra(missing):
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom conse_fast.cli import main\nmain(['--version'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert f"needs {missing}; " in result.stderr
    assert 'pip install "conse_fast[cli]"' in result.stderr


def test_the_package_does_not_import_the_command_line():
    code = "import conse_fast, sys; print([m for m in ('click', 'rich', 'conse_fast.cli') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_rich_is_imported_only_for_what_needs_it(here):
    code = (
        "import sys\nfrom conse_fast.cli import main\n"
        "try: main(['verify', 'index.safetensors'])\nexcept SystemExit: print('rich' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


# ----------------------------------------------------------------------------------------------------- errors

BUILD = ["build", "classes.npy", "labels.npy", "-o", "new.safetensors"]
ERRORS = {
    "no such command": (["ranc"], 2, ["No such command", "conse-fast --help"]),
    "no such option": (["info", "--foo", "x"], 2, ["--foo", "conse-fast info --help"]),
    "no argument": (["verify"], 2, ["INDEX", "conse-fast verify --help"]),
    "missing index": (["info", "none.safetensors"], 1, ["none.safetensors: No such file"]),
    "folder": (["info", "."], 1, ["directory"]),
    "not an index": (["info", "labels.npy"], 1, ["labels.npy", "not a whole safetensors file"]),
    "truncated": (["verify", "truncated.safetensors"], 1, ["truncated.safetensors"]),
    "damaged": (["verify", "damaged.safetensors"], 1, ["damaged.safetensors", "is damaged"]),
    "threads": (["verify", "--n-threads", "0", "index.safetensors"], 2, ["--n-threads", "0"]),
    "no output": (BUILD[:3], 2, ["--output"]),
    "no folder": ([*BUILD[:3], "-o", "none/x"], 1, ["cannot write none/x", "no folder", "none"]),
    "output is a folder": ([*BUILD[:3], "-o", "."], 1, [". is a folder"]),
    "output ends like a folder": ([*BUILD[:3], "-o", "new/"], 1, ["new/ is a folder; expected a file name"]),
    "output without a name": ([*BUILD[:3], "-o", ""], 1, ["the name of an output is empty"]),
    "input without a name": (["build", "", BUILD[2], "-o", "new"], 1, ["an empty file name: No such file"]),
    "output is a device": ([*BUILD[:3], "-o", os.devnull], 1, [os.devnull, "no regular file"]),
    "output is the classes": ([*BUILD[:3], "-o", "./classes.npy"], 1, ["./classes.npy is also an input"]),
    "output is the labels": ([*BUILD[:3], "-o", "labels.npy"], 1, ["labels.npy is also an input"]),
    "output is a names file": ([*BUILD, "-o", "mixed.tsv", "--label-names", "mixed.tsv"], 1, ["also an input"]),
    "missing classes": (["build", "none.npy", *BUILD[2:]], 1, ["none.npy: No such file"]),
    "pickled": (["build", "objects.npy", *BUILD[2:]], 1, ["objects.npy", "Python objects"]),
    "no header": (["build", "no_header.npy", *BUILD[2:]], 1, ["no_header.npy cannot be read as an .npy array"]),
    "half an array": (["build", "half.npy", *BUILD[2:]], 1, ["half.npy", "shorter than its header says"]),
    "text": (["build", "text.npy", *BUILD[2:]], 1, ["text.npy is no .npy file"]),
    "archive": (["build", "archive.npz", *BUILD[2:]], 1, ["archive.npz is an .npz archive"]),
    "dimensions": (["build", "three_dimensions.npy", *BUILD[2:]], 1, ["shape (1, 90, 8)", "(rows, dimensions)"]),
    "device": (["build", os.devnull, *BUILD[2:]], 1, [os.devnull, "no regular file"]),
    "missing names": ([*BUILD, "--class-names", "none.txt"], 1, ["none.txt: No such file"]),
    "number of names": ([*BUILD, "--label-names", "class_names.txt"], 1, ["12 names; expected 90", "label embedding"]),
    "header": ([*BUILD, "--label-names", "with_header.tsv"], 1, ["91 names; expected 90", "--skip-header"]),
    "no header to skip": ([*BUILD, "--label-names", "label_names.tsv", "--skip-header"], 1, ["89 names; expected 90"]),
    "mixed lines": ([*BUILD, "--label-names", "mixed.tsv"], 1, ["mixed.tsv: line 90 has 1 columns", "line 1 has 2"]),
    "three columns": ([*BUILD, "--label-names", "three_columns.tsv"], 1, ["line 1 has 3 columns", "id<TAB>name"]),
    "not UTF-8": ([*BUILD, "--class-names", "latin1.txt"], 1, ["latin1.txt: line 1 is not UTF-8", "0xe9"]),
}


@pytest.mark.parametrize(("arguments", "status", "fragments"), ERRORS.values(), ids=ERRORS)
def test_errors(here, arguments, status, fragments):
    before = sorted(path.name for path in here.iterdir())
    assert_fails(run(*arguments), status, *fragments)
    assert sorted(path.name for path in here.iterdir()) == before


def test_an_error_of_a_process(here):
    process = start("info", "none.safetensors")
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (1, b"")
    assert stderr == b"conse-fast: error: none.safetensors: No such file or directory\n"


def test_an_unknown_target_is_one_line(monkeypatch):
    monkeypatch.setenv("CONSE_FAST_TARGET", "z80")
    assert_fails(run("--version"), 1, "CONSE_FAST_TARGET", "z80", "generic")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError("Unable to allocate 7 TiB"), "not enough memory: Unable to allocate 7 TiB"),
        (RuntimeError("boom"), "unexpected RuntimeError: boom; CONSE_FAST_DEBUG=1 shows where it happened"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (ValueError("two\nlines\x1b[31m"), "two lines [31m"),
    ],
)
def test_errors_that_nobody_expects(here, monkeypatch, error, text):
    def fail(path):
        raise error

    monkeypatch.setattr(cf.ConseIndex, "open", fail)
    result = run("info", "index.safetensors")
    assert_fails(result, 1)
    assert result.stderr == f"conse-fast: error: {text}\n"


@pytest.mark.parametrize(("arguments", "environment"), [(["--debug"], {}), ([], {"CONSE_FAST_DEBUG": "1"})])
def test_debug_shows_the_traceback_and_the_line(here, arguments, environment):
    result = run(*arguments, "info", "none.safetensors", env=environment)
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith("\nconse-fast: error: none.safetensors: No such file or directory\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", [["info"], ["info", "--json"], ["verify"]])
def test_standard_output_that_is_full(here, command):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        process = start(*command, "index.safetensors", stdout=full)
        _, stderr = process.communicate()
    assert process.returncode == 1
    assert stderr == b"conse-fast: error: No space left on device\n"


# ------------------------------------------------------------------------------------------ files, the screen


def test_sizes_and_times_for_people():
    assert [terminal.bytes_text(n) for n in (0, 999, 1000, 89_725_376, 999_949_999, 999_950_000, 4 * 10**15)] == [
        *("0 bytes", "999 bytes", "1.0 kB", "89.7 MB", "999.9 MB", "1.0 GB", "4000.0 TB")
    ]
    seconds = (3e-7, 7.24e-6, 6.4e-5, 0.026, 0.9994, 1.0, 83.21)
    assert [terminal.seconds_text(s) for s in seconds] == [
        *("0.3 us", "7.2 us", "64 us", "26 ms", "999 ms", "1.0 s", "83.2 s")
    ]


class Screen:
    """Standard error that is a terminal, or is not."""

    def __init__(self, is_terminal):
        self._is_terminal = is_terminal
        self.encoding = "utf-8"
        self.text = ""

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize(("is_terminal", "patience", "wanted", "shown"), [
    (True, 0.0, True, True),
    (True, 60.0, True, False),
    (False, 0.0, True, False),
    (True, 0.0, False, False),
])  # fmt: skip
def test_the_bar_shows_on_a_terminal_when_it_takes_long(monkeypatch, is_terminal, patience, wanted, shown):
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "_PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.ProgressBar("working", wanted=wanted) as progress:
        progress(0.25)
        progress(0.5)
    assert ("working" in screen.text) == ("50%" in screen.text) == shown
    assert shown or screen.text == ""


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new"
    path.write_text("old")
    old_mask = os.umask(0o027)
    try:
        with outputs.whole_file(str(path)) as file:
            file.write(b"new")
            file.flush()
            assert path.read_text() == "old"
            assert len(list(tmp_path.iterdir())) == 2
    finally:
        os.umask(old_mask)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_is_not_whole_does_not_appear(tmp_path, error):
    def write_half():
        with outputs.whole_file(str(tmp_path / "new")) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_errors_name_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "new")
    with pytest.raises(NotADirectoryError) as caught, outputs.whole_file(path):
        pass
    assert caught.value.filename == path
