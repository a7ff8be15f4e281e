"""The page's tables in Markdown."""

from __future__ import annotations

from typing import Any

from .results import OURS, Result, Results, is_peer


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def number(value: float) -> str:
    """About three digits, thousands apart."""
    for least, digits in ((100, 0), (10, 1), (0.1, 2)):
        if value >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.1g}"


def count(value: int) -> str:
    return f"{value:,}"


def ratio(results: Results, group: str, peer: Result, ours: Result) -> str:
    """How many times faster than the peer; says which peers are not in the comparison."""
    missing = results.missing(group)
    return number(peer.seconds / ours.seconds) + (f" (without {', '.join(missing)})" if missing else "")


def machine(results: Results) -> str:
    run, info = results.run, results.json["machine_info"]
    commit = results.json["commit_info"]
    versions = ", ".join(f"{name} {version or 'missing'}" for name, version in run["versions"].items())
    rows = [
        ["CPU", str(info.get("cpu", {}).get("brand_raw", info["machine"]))],
        ["cores", str(run["cores"])],
        ["memory", f"{run['memory_bytes'] / 1e9:.0f} GB"],
        ["system", f"{run['system']}, Python {run['python']}"],
        ["kernels", run["target"]],
        ["threads, of everything", str(run["threads"])],
        ["versions", versions],
        ["BLAS", ", ".join(run["blas"]) or "unknown"],
        ["commit", f"{commit.get('id', 'unknown')[:12]}{', changed' if commit.get('dirty') else ''}"],
        ["date", results.json["datetime"][:10]],
        ["run", "full" if run["full"] else "default: without a million labels, with fewer points away from T = k = 10"],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [["", ""], ["---", "---"], *rows]) + "\n"


def limits(results: Results) -> str:
    rows = [
        ["reading 256 MB once, just written", f"{results.limit('read_once_bytes_per_second') / 1e9:.1f} GB/s"],
        [
            "memory bandwidth, reading 256 MB again and again",
            f"{results.limit('bandwidth_bytes_per_second') / 1e9:.1f} GB/s",
        ],
        ["float32 multiply-adds", f"{results.limit('multiply_adds_per_second') / 1e9:.0f} thousand million a second"],
    ]
    return table(["limit", "measured"], rows)


def main_table(results: Results) -> str:
    rows = []
    for ours in results.where(task="index", peer=OURS, top_t=10, k=10):
        peer = results.fastest_peer(ours.group)
        if peer is None:
            continue
        compact = results.one(
            task="index", peer="conse_fast compact", problem=ours.problem, batch=ours.batch, top_t=10, k=10
        )
        rows.append(
            [
                ours.problem,
                count(ours.batch),
                number(ours.microseconds),
                number(compact.microseconds) if compact else "",
                ", ".join(filter(None, (peer.peer, peer.plan))),
                number(peer.microseconds),
                ratio(results, ours.group, peer, ours),
            ]
        )
    header = ["problem", "batch", "conse_fast", "compact", "fastest exact peer", "its time", "times faster"]
    return table(header, rows)


def peers(results: Results, task: str, problem: str) -> str:
    """Microseconds per image of every exact peer at every point."""
    names = [name for name in results.values("peer", task=task, problem=problem) if name != OURS]
    exact = [name for name in names if results.where(task=task, peer=name)[0].exact]
    rows = []
    for ours in results.where(task=task, problem=problem, peer=OURS):
        peer = results.fastest_peer(ours.group)
        cells = [cell(results, ours, name) for name in (OURS, *exact)]
        rows.append([point(ours), *cells, ratio(results, ours.group, peer, ours) if peer else ""])
    return table(["", OURS, *exact, "times faster"], rows)


def cell(results: Results, ours: Result, peer: str) -> str:
    found = next((result for result in results.where(peer=peer) if result.group == ours.group), None)
    return number(found.microseconds) if found else ""


def point(result: Result) -> str:
    """What is varied, in few letters."""
    parts = [f"T {result.top_t}"] if result.top_t else []
    parts += [f"k {count(result.k)}"] if result.k else []
    return ", ".join([*parts, f"batch {count(result.batch)}"])


def approximate(results: Results) -> str:
    rows = []
    for result in results.all:
        if result.facts.get("exact") is False:
            ours = next(other for other in results.where(peer=OURS) if other.group == result.group)
            figures = [f"{result.recall:.3f}", number(result.microseconds), number(ours.microseconds)]
            rows.append([f"{result.peer}, {result.problem}, {point(result)}", *figures])
    return table(["", "recall", "its time", OURS], rows)


def hard(results: Results) -> str:
    rows = []
    for ours in results.where(task="hard", peer=OURS):
        direct = next(result for result in results.where(peer="every label directly") if result.group == ours.group)
        compact = cell(results, ours, "conse_fast compact")
        share = f"{100 * ours.seconds / direct.seconds:.0f} %"
        rows.append(
            [f"{ours.problem}, {point(ours)}", number(ours.microseconds), compact, number(direct.microseconds), share]
        )
    return table(["", OURS, "compact", "every label directly", "of that"], rows)


def scale(results: Results) -> str:
    rows = []
    for size in results.where(task="scale", batch=1):
        alike: dict[str, Any] = {"task": "scale", "cosine": size.cosine}
        batch = results.one(**alike, batch=1024, labels=size.labels)
        first = [results.one(**alike, batch=n) for n in (1, 1024)]
        cells = [
            f"{number(r.microseconds)} ({r.seconds / f.seconds:.2f})" for r, f in zip((size, batch), first) if r and f
        ]
        memory = [f"{n / 1e9:.2f}" for n in (size.peak_bytes, size.private_bytes, size.file_bytes)]
        built = [number(size.build_seconds), *memory]
        rows.append([f"cosine {size.cosine}, {count(size.labels)} labels", *cells, *built])
    header = [
        "",
        "batch 1 (of the first)",
        "batch 1,024 (of the first)",
        "build, s",
        "its peak memory, GB",
        "of that not mapped, GB",
        "file, GB",
    ]
    return table(header, rows)


def threads(results: Results) -> str:
    rows = []
    for one in results.where(task="threads", n_threads=1):
        alike = {"task": "threads", "problem": one.problem, "batch": one.batch}
        serial = results.one(**alike, n_threads=1, busy=False)
        for many in results.where(**alike, busy=one.busy):
            if many.n_threads > 1 and serial:
                what = f"{one.problem}, batch {count(one.batch)}{', a core busy' if one.busy else ''}"
                figures = [number(r.microseconds) for r in (serial, one, many)]
                rows.append([what, *figures, number(serial.seconds / many.seconds)])
    return table(["", "one thread, idle machine", "one thread", "all threads", "times faster than the first"], rows)


def once(results: Results) -> str:
    rows = []
    for ours in results.where(task="once"):
        read = ours.least("read_seconds")
        times = [f"{1e3 * seconds:.0f} ms" for seconds in (read, ours.seconds)]
        rows.append([f"{ours.problem}, {ours.bytes / 1e6:.0f} MB", *times, number(ours.seconds / read)])
    return table(["", "reading", "ranking", "ranking / reading"], rows)


def half(results: Results) -> str:
    rows = []
    for single in results.where(task="half", dtype="float32"):
        short = results.one(task="half", problem=single.problem, batch=single.batch, dtype="float16")
        if short:
            figures = [number(r.microseconds) for r in (single, short)]
            share = f"{100 * short.seconds / single.seconds:.0f} %"
            rows.append([f"{single.problem}, batch {count(single.batch)}", *figures, share])
    return table(["", "float32", "float16", "of that"], rows)


def losses(results: Results) -> str:
    """Every point where an exact peer is faster."""
    rows = []
    for ours in results.where(peer=OURS):
        peer = results.fastest_peer(ours.group)
        if peer and peer.seconds < ours.seconds:
            figures = [number(ours.microseconds), number(peer.microseconds), number(peer.seconds / ours.seconds)]
            rows.append([ours.group, *figures[:1], peer.peer, *figures[1:]])
    if not rows:
        return "None in this run.\n"
    return table(["", OURS, "fastest exact peer", "its time", "times faster"], rows)


def missing(results: Results) -> str:
    """What was not timed, points with one reason together."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for key, reason in results.run["missing"].items():
        peer, group = key.split(": ", 1)
        reasons.setdefault((peer, reason), []).append(group)
    lines = [f"- {peer}: {reason} ({shortened(groups)})" for (peer, reason), groups in reasons.items()]
    return "\n".join(lines or ["Every peer ran everywhere."]) + "\n"


def shortened(groups: list[str], most: int = 4) -> str:
    more = [f"and {len(groups) - most} more"] if len(groups) > most else []
    return "; ".join([*groups[:most], *more])


def has_peers(results: Results, task: str, problem: str) -> bool:
    return any(is_peer(result) for result in results.where(task=task, problem=problem))
