"""The benchmark suite without its timing: every peer's answer equals ours; and the page that a small run makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark")
pytest.importorskip("matplotlib")

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def suite(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "report.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_every_peer_agrees() -> None:
    done = suite(str(BENCHMARKS), "--benchmark-disable")
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


def test_the_demo_data_will_do(tmp_path: Path) -> None:
    done = suite(str(BENCHMARKS / "test_index.py"), "--benchmark-disable", "--data", str(tmp_path / "absent"))
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few seconds: one group with its peers, the limits, and the hard case that has a bound."""
    path = tmp_path_factory.mktemp("results") / "results.json"
    files = [str(BENCHMARKS / f"test_{name}.py") for name in ("hard", "limits", "select")]
    chosen = "limits or (select and 1-10-0) or (gaussian-50 and 1-10-10)"
    done = suite(*files, "-k", chosen, "--benchmark-quiet", "--benchmark-json", str(path))
    assert done.returncode == 0, done.stdout[-4000:]
    return path


def test_a_page_is_made_of_the_results(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    done = report(str(results), "--output", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for heading in ("# Performance", "## Machine", "## Limits", "## Where we lose", "## Group select", "## Not timed"):
        assert f"{heading}\n" in text
    assert "| T 10, batch 1 |" in text
    assert "![Share of the machine's limit](page/share_of_limit.svg)" in text
    assert "<svg" in (tmp_path / "page" / "share_of_limit.svg").read_text(encoding="utf-8")


def test_the_same_results_make_the_same_page(results: Path, tmp_path: Path) -> None:
    pages = [tmp_path / folder / "page.md" for folder in ("one", "two")]
    for page in pages:
        page.parent.mkdir()
        assert report(str(results), "--output", str(page)).returncode == 0
    for name in ("page.md", "page/share_of_limit.svg"):
        assert len({(page.parent / name).read_bytes() for page in pages}) == 1


def altered(results: Path, path: Path, alter) -> Path:
    content = json.loads(results.read_text(encoding="utf-8"))
    alter(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_missing_peer_is_named(results: Path, tmp_path: Path) -> None:
    def without_numpy(content: dict) -> None:
        benchmarks = [each for each in content["benchmarks"] if each["extra_info"].get("peer") != "NumPy"]
        numpy = next(each for each in content["benchmarks"] if each["extra_info"].get("peer") == "NumPy")
        peer = {**numpy, "extra_info": {**numpy["extra_info"], "peer": "another"}}
        content["benchmarks"] = [*benchmarks, peer]
        content["conse_fast"]["missing"] = {f"NumPy: {numpy['group']}": "No module named 'numpy'"}

    path = altered(results, tmp_path / "altered.json", without_numpy)
    assert report(str(path), "--output", str(tmp_path / "page.md")).returncode == 0
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "(without NumPy)" in text
    assert "- NumPy: No module named 'numpy' (select" in text


def test_a_bound_that_does_not_hold_is_told(results: Path, tmp_path: Path) -> None:
    def slow_down(content: dict) -> None:
        for each in content["benchmarks"]:
            if each["extra_info"]["task"] == "hard" and each["extra_info"]["peer"] == "conse_fast":
                each["stats"]["median"] *= 1e6

    path = altered(results, tmp_path / "altered.json", slow_down)
    page = ["--output", str(tmp_path / "page.md")]
    assert report(str(path), *page).returncode == 0
    assert report(str(path), *page, "--check").returncode == 1
    assert "| **no** |" in (tmp_path / "page.md").read_text(encoding="utf-8")
