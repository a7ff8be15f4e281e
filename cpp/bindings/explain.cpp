// Index.explain and its kin.
#include <algorithm>

#include "bindings/arrays.hpp"

namespace conse::bindings {
namespace {

// One of the results, which are (classes (N, T), shares (N, T), scores (N, M), similarities (N, M, T), contributions
// (N, M, T)), to be filled.
template <class Element>
Element* result(const py::tuple& results, std::size_t place, std::size_t size) {
    return data_of<Element>(results[place].cast<py::array>(), size, "results", true);
}

void explain(const Index& index, const py::array& probabilities, std::size_t top_t, const py::array& labels,
             const py::tuple& results, int n_threads, double seen_penalty, bool dot) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    if (labels.ndim() != 2) throw py::type_error("labels: expected a 2-D array");
    ExplanationView out;
    out.n_labels = static_cast<std::size_t>(labels.shape(1));
    out.terms = std::min(top_t, index.info().n_classes);
    const std::size_t n_kept = rows.rows * out.terms, n_scores = rows.rows * out.n_labels;
    out.labels = data_of<const std::int64_t>(labels, n_scores, "labels", false);
    out.classes = result<std::int64_t>(results, 0, n_kept);
    out.shares = result<double>(results, 1, n_kept);
    out.scores = result<float>(results, 2, n_scores);
    out.similarities = result<double>(results, 3, n_scores * out.terms);
    out.contributions = result<double>(results, 4, n_scores * out.terms);
    RankOptions options;
    options.seen_penalty = seen_penalty;
    options.dot = dot;
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.explain(rows, top_t, out, how, options);
}

void class_cosines(const Index& index, const py::array& labels, const py::array& cosines, int n_threads) {
    const auto n_labels = static_cast<std::size_t>(labels.size());
    const auto* ids = data_of<const std::int64_t>(labels, n_labels, "labels", false);
    float* out = data_of<float>(cosines, n_labels * index.info().n_classes, "cosines", true);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.class_cosines(ids, n_labels, out, how);
}

py::array_t<std::uint32_t> rows_per_label(const Index& index) {
    const std::vector<std::uint32_t> counts = index.rows_per_label();
    return py::array_t<std::uint32_t>(static_cast<py::ssize_t>(counts.size()), counts.data());
}

}  // namespace

void bind_explain(py::module_& module) {
    py::class_<Index>(module.attr("Index"))
        .def("explain", &explain)
        .def("class_cosines", &class_cosines)
        .def("rows_per_label", &rows_per_label);
}

}  // namespace conse::bindings
