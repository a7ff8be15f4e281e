"""The rules that the sources keep: one version, who may include whom, sizes, no stray words."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import sysconfig
from pathlib import Path

import pytest

import conse_fast as cf

ROOT = Path(__file__).resolve().parents[1]
CPP = ROOT / "cpp"
PACKAGE = ROOT / "python" / "conse_fast"

CPP_FILES = sorted(path for suffix in ("*.cpp", "*.hpp", "*.h") for path in CPP.rglob(suffix))
PYTHON_FILES = sorted(path for suffix in ("*.py", "*.pyi") for path in PACKAGE.rglob(suffix))


def name_of(path):
    return str(path.relative_to(ROOT))


def within(*parts):
    return [path for path in CPP_FILES if path.is_relative_to(CPP.joinpath(*parts))]


def includes(path):
    return re.findall(r'^\s*#\s*include\s*([<"][^>"]+[>"])', path.read_text(encoding="utf-8"), re.MULTILINE)


cpp_file = pytest.mark.parametrize("path", CPP_FILES, ids=name_of)
python_file = pytest.mark.parametrize("path", PYTHON_FILES, ids=name_of)


def test_there_are_sources():
    # The tests below run over lists of files; empty lists would pass.
    for folder in ("kernels", "core", "bindings", "include/conse"):
        assert within(*folder.split("/")), folder
    assert PACKAGE / "__init__.py" in PYTHON_FILES


# ---------------------------------------------------------------------------------------------------- version


def test_the_version_is_the_same_everywhere():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "([^"]+)"$', project, re.MULTILINE).group(1)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[?(\d+\.\d+\.\d+)", changes, re.MULTILINE).group(1)
    assert cf.__version__ == version == newest


# ------------------------------------------------------------------------- who may include whom (docs/design)

INTRINSICS = {
    "<immintrin.h>",
    "<emmintrin.h>",
    "<smmintrin.h>",
    "<tmmintrin.h>",
    "<nmmintrin.h>",
    "<arm_neon.h>",
}


@pytest.mark.parametrize("path", within("kernels"), ids=name_of)
def test_kernels_include_only_sizes_intrinsics_and_each_other(path):
    # Any inline function of the standard library would leave a weak symbol, built for one instruction set.
    own = {f'"{name}{header.name}"' for header in within("kernels") for name in ("", "kernels/")}
    for include in includes(path):
        assert include in {"<cstddef>", "<cstdint>"} | INTRINSICS | own


@pytest.mark.parametrize("path", within("include", "conse"), ids=name_of)
def test_public_headers_include_standard_headers_and_each_other(path):
    for include in includes(path):
        assert re.fullmatch(r'<[a-z_]+>|"conse/[a-z_]+\.hpp?"', include), include


@pytest.mark.parametrize("path", within("core"), ids=name_of)
def test_core_includes_no_bindings_and_no_python(path):
    for include in includes(path):
        assert re.fullmatch(r'<.+>|"(core|kernels|conse)/.+"', include), include
        assert not re.search(r"pybind11|Python\.h|numpy", include), include


@cpp_file
def test_only_parallel_knows_openmp(path):
    if path == CPP / "core" / "parallel.cpp":
        assert "omp.h" in path.read_text(encoding="utf-8")
    else:
        assert not re.search(r"omp\.h|#\s*pragma\s+omp|_OPENMP|\bomp_", path.read_text(encoding="utf-8"))


@cpp_file
def test_only_core_sources_include_eigen(path):
    if any(include.startswith("<Eigen") for include in includes(path)):
        assert path.suffix == ".cpp"
        assert path.parent == CPP / "core"


@cpp_file
def test_only_bindings_include_pybind11(path):
    if any("pybind11" in include for include in includes(path)):
        assert path.parent == CPP / "bindings"


@pytest.mark.parametrize("path", within("bindings"), ids=name_of)
def test_bindings_do_not_reach_into_the_kernels(path):
    assert not [include for include in includes(path) if "kernels/" in include or "Eigen" in include]


@cpp_file
def test_headers_are_included_once(path):
    if path.suffix in {".hpp", ".h"}:
        text = path.read_text(encoding="utf-8")
        assert "#pragma once" in text or re.search(r"#ifndef CONSE_\w+", text)


# ----------------------------------------------------------------------------------------------------- Python


def imports(path, top_level):
    """Returns the modules that a file imports: at its top level (also within `if` and `try`), or anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = [*path.relative_to(PACKAGE.parent).parent.parts]
    found, waiting = set(), list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and top_level:
            continue
        elif isinstance(node, ast.If) and top_level and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))
    return found


def is_standard(module):
    if module in sys.builtin_module_names:
        return True
    spec = importlib.util.find_spec(module)
    origin = (spec.origin or "") if spec else ""
    in_library = origin == "frozen" or origin.startswith(sysconfig.get_path("stdlib"))
    return in_library and "site-packages" not in origin


def test_imports_are_found():
    # The helper's own test: relative and absolute imports of one file of the package.
    found = imports(PACKAGE / "__init__.py", top_level=True)
    assert any(module.startswith("conse_fast.") for module in found)
    assert is_standard("json")
    assert is_standard("sys")
    assert not is_standard("numpy")


@python_file
def test_only_the_command_line_imports_the_command_line(path):
    if path.name.startswith("cli") or path.is_relative_to(PACKAGE / "cli") or path.name == "__main__.py":
        return
    assert not [module for module in imports(path, top_level=False) if module.startswith("conse_fast.cli")]


@python_file
def test_optional_libraries_are_imported_where_they_are_used(path):
    if path.name.startswith("cli") or path.is_relative_to(PACKAGE / "cli"):
        return
    for module in imports(path, top_level=True):
        package = module.split(".")[0]
        assert package in {"numpy", "conse_fast"} or is_standard(package), module


def test_what_the_package_offers():
    offered = {
        *("ConseIndex", "Limits", "Names", "Ranking", "conse", "convex_combination", "cosine_rank"),
        *("max_threads", "measure_limits", "metrics", "target", "targets", "top_k"),
        *("Difference", "Explanation", "Reachability"),
        *("Candidates", "Coverage", "LabelEmbeddings", "NameRules", "WordVectors"),
        *("embed_labels", "evaluate", "read_hierarchy", "read_word_vectors"),
    }
    assert offered <= set(cf.__all__)
    for name in cf.__all__:
        assert getattr(cf, name) is not None
        assert name.startswith("__") or (getattr(cf, name).__doc__ or "").strip(), f"{name} needs a docstring"


def test_methods_have_docstrings():
    for name in (
        "build",
        "open",
        "save",
        "verify",
        "rank",
        "rank_logits",
        "rank_pairs",
        "embed",
        "explain",
        "nearest_classes",
        "reachability",
        "info",
        "close",
    ):
        assert (getattr(cf.ConseIndex, name).__doc__ or "").strip(), name


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()
    assert (PACKAGE / "_core.pyi").exists()


# ------------------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("path", CPP_FILES + PYTHON_FILES, ids=name_of)
def test_no_file_has_more_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", CPP_FILES + PYTHON_FILES, ids=name_of)
def test_no_work_is_left_lying(path):
    words = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))
    assert not re.search(rf"\b({words})\b", path.read_text(encoding="utf-8"))


@cpp_file
def test_no_file_holds_a_real_number_in_the_way_of_a_locale(path):
    # "%f" writes 0,5 where a program has chosen such a locale. Messages may say so; an index file may not.
    if name_of(path) == "cpp/core/message.cpp":
        return
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"%[-+ #0]*[\d.*]*l?[aefgAEFG]\b|strto[dfl]\b|stringstream", text)


def test_the_extension_module_is_small():
    module = Path(sys.modules["conse_fast._core"].__file__)
    assert module.stat().st_size < 1_000_000
