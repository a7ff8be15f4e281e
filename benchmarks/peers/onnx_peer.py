"""ONNX Runtime: each task as one graph, its matrices as constants, so that the runtime may pack them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from problem import Problem

from .common import Floats, Peer

OPSET, IR_VERSION = 17, 8
FLOAT = TensorProto.FLOAT


class Graph:
    """A graph under construction, with one input ``rows``. ``add`` names an operator's results and returns them."""

    def __init__(self, width: int) -> None:
        self.input = helper.make_tensor_value_info("rows", FLOAT, ["n", width])
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.matrices: dict[str, onnxruntime.OrtValue] = {}

    def matrix(self, name: str, value: Floats) -> str:
        """A constant that stays outside the graph's protocol buffer, which holds 2 GB at most."""
        tensor = TensorProto(name=name, data_type=FLOAT, dims=value.shape, data_location=TensorProto.EXTERNAL)
        for key, text in (("location", "memory"), ("offset", "0"), ("length", str(value.nbytes))):
            tensor.external_data.add(key=key, value=text)
        self.constants.append(tensor)
        self.matrices[name] = onnxruntime.OrtValue.ortvalue_from_numpy(value)
        return name

    def integer(self, name: str, value: int) -> str:
        self.constants.append(numpy_helper.from_array(np.array([value], np.int64), name))
        return name

    def add(self, operator: str, inputs: list[str], results: str, **attributes: Any) -> list[str]:
        self.nodes.append(helper.make_node(operator, inputs, results.split(), **attributes))
        return results.split()

    def top_k(self, scores: str, k: int, prefix: str) -> list[str]:
        return self.add("TopK", [scores, self.integer(f"{prefix}_size", k)], f"{prefix}_values {prefix}_columns")

    def keep(self, top_t: int) -> None:
        """The kept probabilities as N x 1 x T ``weights``, their classes as ``kept_columns``."""
        self.top_k("rows", top_t, "kept")
        self.add("Unsqueeze", ["kept_values", self.integer("axis", 1)], "weights")

    def weighted_sum(self, table: str, result: str) -> str:
        """The sum of the kept classes' rows of a table."""
        self.add("Gather", [table, "kept_columns"], f"{result}_rows")
        self.add("MatMul", ["weights", f"{result}_rows"], f"{result}_sums")
        return self.add("Squeeze", [f"{result}_sums", "axis"], result)[0]

    def combine(self, classes: Floats, top_t: int) -> str:
        """The sum of the kept classes' embeddings, N x D; a plain product where every class is kept."""
        table = self.matrix("classes", classes)
        if top_t >= len(classes):
            return self.add("MatMul", ["rows", table], "f")[0]
        self.keep(top_t)
        return self.weighted_sum(table, "f")

    def multiply(self, queries: str, labels: Floats) -> str:
        return self.add("Gemm", [queries, self.matrix("labels", labels)], "products", transB=1)[0]

    def rank(self, products: str, queries: str, k: int) -> list[str]:
        """Scores and label ids; the length of a query divides its best scores only."""
        values, columns = self.top_k(products, k, "best")
        self.add("ReduceL2", [queries], "length", axes=[1], keepdims=1)
        return [*self.add("Div", [values, "length"], "scores"), columns]

    def session(self, outputs: list[str], n_threads: int) -> onnxruntime.InferenceSession:
        infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "conse", [self.input], infos, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.add_external_initializers(list(self.matrices), list(self.matrices.values()))
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


class OnnxPeer(Peer):
    """Sizes are constants of the graph, so each (T, k) has a session; the last one is kept."""

    package = "onnxruntime"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.sizes: tuple[int, int] | None = None

    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        raise NotImplementedError

    def width(self) -> int:
        return len(self.problem.classes)

    def run(self, rows: Floats, top_t: int, k: int) -> Any:
        if self.sizes != (top_t, k):
            graph = Graph(self.width())
            self.session = graph.session(self.outputs(graph, top_t, k), self.n_threads)
            self.sizes = top_t, k
        results = self.session.run(None, {"rows": rows})
        return tuple(results) if len(results) > 1 else results[0]


class Select(OnnxPeer):
    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        return graph.top_k("rows", top_t, "kept")


class Combine(OnnxPeer):
    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        f = graph.combine(self.problem.classes, top_t)
        kept = "rows" if top_t >= self.width() else "kept_values"
        graph.add("ReduceSum", [kept, graph.integer("sum_axis", 1)], "total", keepdims=1)
        return graph.add("Div", [f, "total"], "mean")


class Dense(OnnxPeer):
    def width(self) -> int:
        return self.problem.labels.shape[1]

    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        return graph.rank(graph.multiply("rows", self.problem.labels), "rows", k)


class Index(OnnxPeer):
    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        f = graph.combine(self.problem.classes, top_t)
        return graph.rank(graph.multiply(f, self.problem.labels), f, k)


class TableIndex(OnnxPeer):
    """The table trick: the kept rows of the products of every class and label instead of the matrix product."""

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.table = problem.classes @ problem.labels.T

    def outputs(self, graph: Graph, top_t: int, k: int) -> list[str]:
        f, table = graph.combine(self.problem.classes, top_t), graph.matrix("table", self.table)
        if top_t >= self.width():
            products = graph.add("MatMul", ["rows", table], "products")[0]
        else:
            products = graph.weighted_sum(table, "products")
        return graph.rank(products, f, k)
