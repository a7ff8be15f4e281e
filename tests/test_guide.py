"""The guide is a promise: its blocks run one after the other in one folder, and print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs the extra [cli]")
pytest.importorskip("rich", reason="the command line needs the extra [cli]")

GUIDE = (Path(__file__).parent.parent / "docs" / "labels.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.DOTALL)


def without_times(text: str) -> str:
    """The text without what differs from run to run or CPU to CPU: times, the ends of scores, spaces at line ends."""
    text = re.sub(r"in [\d.]+ (us|ms|s)\b", "in TIME", text)
    text = re.sub(r"\b\d\.\d{5,}", lambda score: f"{float(score[0]):.4f}", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def run_block(language: str, code: str, folder: Path) -> str:
    """What a block prints in a terminal of 100 columns, in which conse-fast is that of this interpreter."""
    commands = folder / "bin"
    if not commands.exists():
        commands.mkdir()
        (commands / "conse-fast").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m conse_fast "$@"\n')
        (commands / "conse-fast").chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    command = ["sh", "-e", "-c", code] if language == "sh" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_the_guide_works_as_pasted(tmp_path: Path) -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh", "text"}
    printed = ""
    for language, content in BLOCKS:
        if language == "text":
            assert without_times(printed) == without_times(content)
            printed = ""
        else:
            assert printed == "", f"the guide does not show what this prints:\n{printed}"
            printed = run_block(language, content, tmp_path)
    assert printed == ""


def test_times_do_not_matter_and_numbers_do() -> None:
    assert without_times("a \nb in 2.3 ms\n") == without_times("a\nb in 14 s")
    assert without_times("0.79353637") == without_times("0.79353642") != without_times("0.7936")
    assert without_times("3 labels") != without_times("4 labels")
