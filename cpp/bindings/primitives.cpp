#include "bindings/arrays.hpp"
#include "bindings/plain.hpp"

namespace conse::bindings {
namespace {

void bind_top_k(const py::array& x, std::size_t k, const py::array& values, const py::array& indices, int n_threads) {
    const MatrixView view = matrix_view(x, "x");
    const MatrixView out = matrix_view(values, "values");
    const bool fits = out.dtype == view.dtype && out.rows == view.rows && out.columns == k && values.writeable() &&
                      (values.flags() & py::array::c_style) != 0;
    if (!fits) throw py::type_error("values: unexpected array");
    auto* ids = data_of<std::int64_t>(indices, view.rows * k, "indices", true);
    void* data = const_cast<void*>(values.data());
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    top_k(view, k, data, ids, how);
}

void bind_convex_combination(const py::array& probabilities, const py::array& class_embeddings, std::size_t top_t,
                             bool normalize_classes, const py::array& out, int n_threads) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    const MatrixView classes = matrix_view(class_embeddings, "class_embeddings");
    float* f = data_of<float>(out, rows.rows * classes.columns, "out", true);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    convex_combination(rows, classes, {top_t, normalize_classes}, f, how);
}

void bind_cosine_rank(const py::array& queries, const py::array& label_matrix,
                      const std::optional<py::array>& query_lengths, const std::optional<py::array>& label_lengths,
                      const py::array& scores, const py::array& indices, int n_threads) {
    const MatrixView rows = matrix_view(queries, "queries");
    const MatrixView labels = matrix_view(label_matrix, "label_matrix");
    const Lengths lengths{optional_data<double>(query_lengths, rows.rows, "query_lengths"),
                          optional_data<double>(label_lengths, labels.rows, "label_lengths")};
    const RankingView ranking = ranking_view(scores, indices, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    cosine_rank(rows, labels, lengths, ranking, how);
}

// Of (queries, label_matrix, k, out, n_threads) a Ranking, or None when the face has to look at the arguments.
py::object cosine_rank_plain(PyObject*, PyObject* const* arguments) {
    const py::handle labels = arguments[1];
    const auto label_matrix = plain_rows(labels);
    if (!label_matrix || py::reinterpret_borrow<py::array>(labels).ndim() != 2) return py::none();
    const auto call = plain_call(arguments[0], arguments[2], arguments[3], arguments[4], labels);
    if (!call || label_matrix->dtype == DType::f64) return py::none();
    const Execution how = execution(call->n_threads);
    {
        const ReleaseGil nogil;
        cosine_rank(call->rows, *label_matrix, {}, call->ranking, how);
    }
    return plain_ranking(*call);
}

void bind_conse(const py::array& probabilities, const py::array& class_embeddings, const py::array& label_embeddings,
                std::size_t top_t, bool normalize_classes, const py::array& scores, const py::array& indices,
                int n_threads) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    const MatrixView classes = matrix_view(class_embeddings, "class_embeddings");
    const MatrixView labels = matrix_view(label_embeddings, "label_embeddings");
    const RankingView ranking = ranking_view(scores, indices, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    conse(rows, classes, labels, {top_t, normalize_classes}, ranking, how);
}

}  // namespace

void bind_primitives(py::module_& module) {
    module.def("max_threads", &max_threads);
    module.def("current_target", [] {
        choose_target();
        return current_target();
    });
    module.def("supported_targets", [] { return py::tuple(py::cast(supported_targets())); });
    module.def("top_k", &bind_top_k, py::arg("x").noconvert(), py::arg("k"), py::arg("values").noconvert(),
               py::arg("indices").noconvert(), py::arg("n_threads"));
    module.def("convex_combination", &bind_convex_combination, py::arg("probabilities").noconvert(),
               py::arg("class_embeddings").noconvert(), py::arg("top_t"), py::arg("normalize_classes"),
               py::arg("out").noconvert(), py::arg("n_threads"));
    module.def("cosine_rank", &bind_cosine_rank, py::arg("queries").noconvert(), py::arg("label_matrix").noconvert(),
               py::arg("query_lengths").noconvert(), py::arg("label_lengths").noconvert(),
               py::arg("scores").noconvert(), py::arg("indices").noconvert(), py::arg("n_threads"));
    module.attr("cosine_rank_plain") = plain_function<cosine_rank_plain, 5>("cosine_rank_plain", py::none());
    module.def("conse", &bind_conse, py::arg("probabilities").noconvert(), py::arg("class_embeddings").noconvert(),
               py::arg("label_embeddings").noconvert(), py::arg("top_t"), py::arg("normalize_classes"),
               py::arg("scores").noconvert(), py::arg("indices").noconvert(), py::arg("n_threads"));
}

}  // namespace conse::bindings
