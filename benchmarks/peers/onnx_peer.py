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
    """A graph under construction: one input ``rows``, constants, nodes named after their first result."""

    def __init__(self, width: int) -> None:
        self.input = helper.make_tensor_value_info("rows", FLOAT, ["n", width])
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], outputs: str, **attributes: Any) -> list[str]:
        self.nodes.append(helper.make_node(operator, inputs, outputs.split(), **attributes))
        return outputs.split()

    def top_k(self, scores: str, k: int, prefix: str) -> list[str]:
        size = self.constant(f"{prefix}_size", np.array([k], np.int64))
        return self.add("TopK", [scores, size], f"{prefix}_values {prefix}_columns", axis=-1, largest=1, sorted=1)

    def weighted_sum(self, classes: Floats, top_t: int) -> str:
        """The sum of the kept classes' embeddings, N x D."""
        table = self.constant("classes", classes)
        if top_t >= len(classes):
            return self.add("MatMul", ["rows", table], "f")[0]
        weights, kept = self.top_k("rows", top_t, "kept")
        self.add("Gather", [table, kept], "gathered")
        self.add("Unsqueeze", [weights, self.constant("axis", np.array([1], np.int64))], "weights")
        self.add("MatMul", ["weights", "gathered"], "sums")
        return self.add("Squeeze", ["sums", "axis"], "f")[0]

    def cosine_rank(self, queries: str, labels: Floats, k: int) -> list[str]:
        """Scores and label ids of the ``k`` best; the length divides those alone."""
        self.add("MatMul", [queries, self.constant("labels", labels.T)], "products")
        values, columns = self.top_k("products", k, "best")
        self.add("ReduceL2", [queries], "length", axes=[1], keepdims=1)
        return [*self.add("Div", [values, "length"], "scores"), columns]

    def session(self, outputs: list[str], n_threads: int) -> onnxruntime.InferenceSession:
        infos = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "conse", [self.input], infos, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


class OnnxPeer(Peer):
    package = "onnxruntime"

    def __init__(self, problem: Problem, n_threads: int) -> None:
        super().__init__(problem, n_threads)
        self.sessions: dict[tuple[int, int], onnxruntime.InferenceSession] = {}

    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        raise NotImplementedError

    def run(self, rows: Floats, top_t: int, k: int) -> Any:
        key = top_t, k
        if key not in self.sessions:
            graph, outputs = self.graph(top_t, k)
            self.sessions[key] = graph.session(outputs, self.n_threads)
        results = self.sessions[key].run(None, {"rows": rows})
        return tuple(results) if len(results) > 1 else results[0]


class Select(OnnxPeer):
    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        graph = Graph(len(self.problem.classes))
        return graph, graph.top_k("rows", top_t, "kept")


class Combine(OnnxPeer):
    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        classes = self.problem.classes
        graph = Graph(len(classes))
        f = graph.weighted_sum(classes, top_t)
        kept = "rows" if top_t >= len(classes) else "kept_values"
        axes = graph.constant("sum_axis", np.array([1], np.int64))
        graph.add("ReduceSum", [kept, axes], "total", keepdims=1)
        return graph, graph.add("Div", [f, "total"], "mean")


class Dense(OnnxPeer):
    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        labels = self.problem.labels
        graph = Graph(labels.shape[1])
        return graph, graph.cosine_rank("rows", labels, k)


class Index(OnnxPeer):
    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        graph = Graph(len(self.problem.classes))
        return graph, graph.cosine_rank(graph.weighted_sum(self.problem.classes, top_t), self.problem.labels, k)


class TableIndex(OnnxPeer):
    """The table trick as a graph: the kept rows of the products of every class and label, gathered and summed."""

    def graph(self, top_t: int, k: int) -> tuple[Graph, list[str]]:
        classes = self.problem.classes
        graph = Graph(len(classes))
        f = graph.weighted_sum(classes, top_t)
        table = graph.constant("table", classes @ self.problem.labels.T)
        graph.add("Gather", [table, "kept_columns"], "table_rows")
        graph.add("MatMul", ["weights", "table_rows"], "product_sums")
        graph.add("Squeeze", ["product_sums", "axis"], "products")
        values, columns = graph.top_k("products", k, "best")
        graph.add("ReduceL2", [f], "length", axes=[1], keepdims=1)
        return graph, [*graph.add("Div", [values, "length"], "scores"), columns]
