"""The C++ tests, the symbols of the kernel objects, and both on CPUs that this machine only emulates.

A missing tool (compiler, nm, qemu, cross compiler) skips its tests and says so; ``CONSE_FAST_REQUIRE_TOOLS=1``, which
CI sets, turns such a skip into a failure.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import conse_fast as cf

REPOSITORY = Path(__file__).parent.parent
SUITES = (
    "block_exchange",
    "block_order",
    "collector",
    "dense",
    "explain",
    "image",
    "index",
    "index_search",
    "kernels",
    "limits",
    "parallel",
    "safetensors",
    "select",
    "twins",
    "xxh64",
)
ON_X86 = platform.machine() in ("x86_64", "AMD64")


def tool(*names: str) -> str:
    """The path of the first of these programs that there is, or a skip."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    message = f"no {' or '.join(names)} on this machine"
    if os.environ.get("CONSE_FAST_REQUIRE_TOOLS") == "1":
        pytest.fail(message)
    pytest.skip(message)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def build(folder: Path, preset: str, *options: str) -> Path:
    """Configures and builds the C++ tests; returns the test program."""
    eigen = importlib.metadata.distribution("cmeel-eigen").locate_file("cmeel.prefix/include/eigen3")
    cmake = tool("cmake")
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    where = ["-S", str(REPOSITORY), "-B", str(folder)]
    run(cmake, "--preset", preset, *where, *generator, f"-DCONSE_EIGEN_INCLUDE_DIR={eigen}", *options)
    run(cmake, "--build", str(folder), "--parallel", "2")
    return folder / "tests" / "cpp" / "conse_tests"


def assert_suites_pass(*program: str) -> None:
    """Several suites at a time: under an emulator, or with sanitizers, they take minutes."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for printed in pool.map(lambda suite: run(*program, suite), SUITES):
            assert "0 failed" in printed


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tool("c++", "g++", "clang++")
    return build(tmp_path_factory.mktemp("release"), "release")


def kernel_objects(release: Path) -> list[Path]:
    return sorted((release.parent.parent.parent / "CMakeFiles").glob("conse_kernels_*.dir/**/*.o"))


@pytest.mark.parametrize("suite", SUITES)
def test_suite(release: Path, suite: str) -> None:
    assert "0 failed" in run(str(release), suite)


def test_suites_are_all_there() -> None:
    assert {f"test_{suite}.cpp" for suite in SUITES} == {p.name for p in (REPOSITORY / "tests/cpp").glob("test_*.cpp")}


def test_there_is_one_kernel_object_per_target(release: Path) -> None:
    names = {path.parts[-4].removesuffix(".dir").split("conse_kernels_")[1] for path in kernel_objects(release)}
    assert {target.replace("-", "_") for target in cf.targets()} <= names


def test_kernel_objects_export_their_table_alone(release: Path) -> None:
    """A weak symbol in a kernel object could be kept for everybody: SIGILL on an old CPU."""
    nm = tool("nm")
    for path in kernel_objects(release):
        symbols = [line.split() for line in run(nm, "--extern-only", str(path)).splitlines()]
        defined = [symbol for symbol in symbols if len(symbol) == 3]
        undefined = {symbol[1] for symbol in symbols if len(symbol) == 2}
        assert [kind for _, kind, _ in defined] == ["D"], f"{path.name}: {defined}"
        assert "kernels_" in defined[0][2]
        # Of the C library and, for a CPU without the instruction, of the compiler's own.
        known = {"memcpy", "memset", "__popcountdi2", "_GLOBAL_OFFSET_TABLE_"}
        assert undefined <= known, f"{path.name} needs {undefined}"


def test_searches_ask_for_what_they_choose(release: Path) -> None:
    """A compiler may drop calls of a function that does nothing but prefetch, and only the time would tell."""
    objdump = tool("objdump")
    (path,) = (release.parent.parent.parent / "CMakeFiles").glob("conse_core.dir/**/index_search.cpp.o")
    functions = run(objdump, "--disassemble", "--reloc", "--demangle", str(path)).split("\n\n")
    # The instruction, or the call of Search::prefetch.
    assert any(
        "prefetch" in f or "prfm" in f for f in functions if "<conse::Search::choose" in f.lstrip().split("\n")[0]
    )


@pytest.mark.skipif(not ON_X86, reason="emulates x86-64 CPUs only on x86-64")
@pytest.mark.parametrize("cpu", ["Nehalem", "Haswell"])
def test_old_cpus(release: Path, cpu: str) -> None:
    """Nehalem is x86-64-v2, Haswell x86-64-v3: an instruction beyond them stops the emulator."""
    assert_suites_pass(tool("qemu-x86_64", "qemu-x86_64-static"), "-cpu", cpu, str(release))


def test_sanitizers(tmp_path: Path) -> None:
    tool("c++", "g++", "clang++")
    assert_suites_pass(str(build(tmp_path, "debug-sanitize")))


@pytest.mark.skipif(not ON_X86, reason="cross-compiles from x86-64 only")
def test_aarch64(tmp_path: Path) -> None:
    """The NEON kernels, cross-compiled and emulated."""
    tool("aarch64-linux-gnu-g++")
    emulator = tool("qemu-aarch64", "qemu-aarch64-static")
    program = build(tmp_path, "aarch64")
    assert_suites_pass(emulator, "-L", "/usr/aarch64-linux-gnu", str(program))


def test_installed_library_builds_a_program_without_python(release: Path, tmp_path: Path) -> None:
    """``cmake --install`` and find_package(conse_fast) are all that a C++ program needs."""
    cmake = tool("cmake")
    run(cmake, "--install", str(release.parent.parent.parent), "--prefix", str(tmp_path / "prefix"))
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(user CXX)\nfind_package(conse_fast 0.1 REQUIRED)\n"
        "add_executable(user user.cpp)\ntarget_link_libraries(user PRIVATE conse::core)\n"
    )
    (tmp_path / "user.cpp").write_text(
        '#include <cstdio>\n#include "conse/conse.hpp"\n'
        "int main() {\n"
        "    const float classes[] = {1, 0, 0, 1}, labels[] = {1, 0.1f, 0.1f, 1}, p[] = {0.2f, 0.8f};\n"
        "    conse::BuildInput input;\n"
        "    input.class_embeddings = conse::matrix_view(classes, 2, 2);\n"
        "    input.label_embeddings = conse::matrix_view(labels, 2, 2);\n"
        "    float score;\n    std::int64_t label;\n"
        "    conse::Index::build(input, {}).rank(conse::matrix_view(p, 1, 2), 2, {&score, &label, 1});\n"
        '    std::printf("label %d\\n", static_cast<int>(label));\n}\n'
    )
    run(cmake, "-S", str(tmp_path), "-B", str(tmp_path / "b"), f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")
    run(cmake, "--build", str(tmp_path / "b"))
    assert run(str(tmp_path / "b" / "user")) == "label 1\n"
