#include "bindings/arrays.hpp"
#include "bindings/plain.hpp"

#include <tuple>
#include <variant>

namespace conse::bindings {
namespace {

// (UTF-8 bytes, int64 offsets), or None.
using TextArrays = std::optional<std::pair<py::bytes, py::array>>;

// (names, int64 offsets into the ids, int64 label ids), or None.
using LabelSetArrays = std::optional<std::tuple<TextArrays, py::array, py::array>>;

TextView text_view(const TextArrays& texts) {
    if (!texts) return {};
    const std::string_view bytes = texts->first;
    TextView view;
    view.bytes = bytes.data();
    view.size = bytes.size();
    view.offsets =
        data_of<const std::int64_t>(texts->second, static_cast<std::size_t>(texts->second.size()), "offsets", false);
    view.count = static_cast<std::size_t>(texts->second.size()) - 1;
    return view;
}

// The Python face has checked the word.
MissingClasses missing_classes_of(const std::string& word) {
    if (word == "refill") return MissingClasses::refill;
    return word == "raise" ? MissingClasses::raise : MissingClasses::skip;
}

Index build(const py::array& class_embeddings, const py::array& label_embeddings, std::size_t n_labels,
            const std::optional<py::array>& row_label, const std::optional<py::array>& label_class,
            const TextArrays& class_names, const TextArrays& class_ids, const TextArrays& label_names,
            const TextArrays& label_ids, const LabelSetArrays& label_sets, bool normalize_classes, bool compact,
            const std::string& missing_classes, const std::string& path, int n_threads, const py::object& progress) {
    BuildInput input;
    input.class_embeddings = matrix_view(class_embeddings, "class_embeddings");
    input.label_embeddings = matrix_view(label_embeddings, "label_embeddings");
    input.n_labels = n_labels;
    input.row_label = optional_data<std::int64_t>(row_label, input.label_embeddings.rows, "row_label");
    input.label_class = optional_data<std::int64_t>(label_class, n_labels, "label_class");
    input.class_names = text_view(class_names);
    input.class_ids = text_view(class_ids);
    input.label_names = text_view(label_names);
    input.label_ids = text_view(label_ids);
    if (label_sets) {
        const auto& [names, offsets, labels] = *label_sets;
        input.label_set_names = text_view(names);
        const std::size_t n_sets = input.label_set_names.count;
        input.label_set_offsets = data_of<const std::int64_t>(offsets, n_sets + 1, "label_sets", false);
        const auto n_ids = static_cast<std::size_t>(labels.size());
        input.label_sets = data_of<const std::int64_t>(labels, n_ids, "label_sets", false);
        if (input.label_set_offsets[n_sets] != labels.size()) throw py::type_error("label_sets: unexpected array");
    }
    const Execution how = execution(n_threads, progress);
    const ReleaseGil nogil;
    return Index::build(input, {normalize_classes, compact, path, missing_classes_of(missing_classes)}, how);
}

// Opaque in Python.
struct Prepared {
    CandidateSet set;
};

Prepared prepare(const Index& index, const std::optional<py::array>& mask) {
    const bool* allowed = optional_data<bool>(mask, index.n_labels(), "candidates");
    const ReleaseGil nogil;
    return {index.prepare(reinterpret_cast<const std::uint8_t*>(allowed))};
}

// (mask (L,) or (N, L) bool, or ids (M,) or (N, M) int64, or Prepared, or None; ids to exclude or None; seen_penalty;
// dot).
using Options = std::tuple<std::variant<std::monostate, Prepared, py::array>, std::optional<py::array>, double, bool>;

// Label ids or flags for all rows or for each.
struct LabelRows {
    std::size_t width, size;
    std::ptrdiff_t stride;

    LabelRows(const py::array& labels, std::size_t n_rows)
        : width(labels.ndim() > 0 ? static_cast<std::size_t>(labels.shape(labels.ndim() - 1)) : 0),
          size((labels.ndim() == 2 ? n_rows : 1) * width),
          stride(labels.ndim() == 2 ? static_cast<std::ptrdiff_t>(width) : 0) {}
};

RankOptions rank_options(const Index& index, const Options& options, std::size_t n_rows) {
    const auto& [candidates, excluded, seen_penalty, dot] = options;
    RankOptions result;
    result.seen_penalty = seen_penalty;
    result.dot = dot;
    if (const auto* prepared = std::get_if<Prepared>(&candidates)) result.candidates = prepared->set;
    if (excluded) {
        const LabelRows rows(*excluded, n_rows);
        result.excluded = data_of<const std::int64_t>(*excluded, rows.size, "exclude", false);
        result.n_excluded = rows.width;
        result.excluded_stride = rows.stride;
    }
    const auto* labels = std::get_if<py::array>(&candidates);
    if (labels == nullptr) return result;
    const LabelRows rows(*labels, n_rows);
    if (labels->dtype().kind() == 'b') {
        if (rows.width != index.n_labels()) throw py::type_error("candidates: unexpected array");
        const bool* mask = data_of<const bool>(*labels, rows.size, "candidates", false);
        result.mask = reinterpret_cast<const std::uint8_t*>(mask);
        result.mask_stride = rows.stride;
    } else {
        result.ids = data_of<const std::int64_t>(*labels, rows.size, "candidates", false);
        result.n_ids = rows.width;
        result.ids_stride = rows.stride;
    }
    return result;
}

void rank(const Index& index, const py::array& probabilities, const std::vector<std::size_t>& top_t,
          const py::array& scores, const py::array& indices, int n_threads, const Options& options) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    const RankingView ranking = ranking_view(scores, indices, rows.rows, top_t.size());
    const RankOptions what = rank_options(index, options, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.rank(rows, top_t, ranking, how, what);
}

// A row is ranked among so many in some microseconds, some hundred if all must be scored or are asked for: too little
// to let another thread in, which takes a twentieth of a call, and more where one waits: four threads that rank rows
// took 6.0 us a call together instead of 2.4.
constexpr std::size_t kFewLabels = 1 << 16;

// Of (probabilities, k, top_t, out, n_threads) a Ranking, or None when the face has to look at the arguments. A single
// row takes 2 us less this way.
py::object rank_plain(PyObject* owner, PyObject* const* arguments) {
    const auto& index = *static_cast<const Index*>(PyCapsule_GetPointer(owner, nullptr));
    const auto n_terms = plain_count(arguments[2]);
    const auto call = n_terms ? plain_call(arguments[0], arguments[1], arguments[3], arguments[4]) : std::nullopt;
    if (!call) return py::none();
    const Execution how = execution(call->n_threads);
    std::optional<ReleaseGil> nogil;
    if (call->rows.rows > 1 || index.n_labels() > kFewLabels) nogil.emplace();
    index.rank(call->rows, *n_terms, call->ranking, how);
    nogil.reset();
    return plain_ranking(*call);
}

py::object plain_ranker(const Index& index) {
    const py::capsule owner(new Index(index), [](void* own) { delete static_cast<Index*>(own); });
    return plain_function<rank_plain, 5>("rank_plain", owner);
}

void rank_logits(const Index& index, const py::array& logits, const std::vector<std::size_t>& top_t, double temperature,
                 const py::array& scores, const py::array& indices, int n_threads, const Options& options) {
    const MatrixView rows = matrix_view(logits, "logits");
    const RankingView ranking = ranking_view(scores, indices, rows.rows, top_t.size());
    const RankOptions what = rank_options(index, options, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.rank_logits(rows, top_t, temperature, ranking, how, what);
}

void rank_pairs(const Index& index, const py::array& classes, const py::array& weights, const py::array& scores,
                const py::array& indices, int n_threads, const Options& options) {
    const MatrixView rows = matrix_view(weights, "weights");
    const auto* ids = data_of<const std::int64_t>(classes, rows.rows * rows.columns, "indices", false);
    const RankingView ranking = ranking_view(scores, indices, rows.rows);
    const RankOptions what = rank_options(index, options, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.rank_pairs(ids, rows, ranking, how, what);
}

void score_of(const Index& index, const py::array& probabilities, std::size_t top_t, const py::array& pairs,
              const py::array& scores, int n_threads, const Options& options) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    const auto count = static_cast<std::size_t>(scores.size());
    const auto* places = data_of<const std::int64_t>(pairs, 2 * count, "pairs", false);
    auto* out = data_of<float>(scores, count, "scores", true);
    const RankOptions what = rank_options(index, options, rows.rows);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.score_of(rows, top_t, places, count, out, how, what);
}

void embed(const Index& index, const py::array& probabilities, std::size_t top_t, const py::array& out, int n_threads) {
    const MatrixView rows = matrix_view(probabilities, "probabilities");
    float* f = data_of<float>(out, rows.rows * index.info().dimension, "out", true);
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    index.embed(rows, top_t, f, how);
}

py::str decoded(std::string_view text) {
    PyObject* string = PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "replace");
    if (string == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(string);
}

py::dict label_set_sizes(const Index& index) {
    const TextView names = index.label_set_names();
    py::dict sizes;
    for (std::size_t i = 0; i < names.count; ++i) sizes[decoded(text_at(names, i))] = index.label_set(i).count;
    return sizes;
}

py::dict info(const Index& index) {
    const IndexInfo info = index.info();
    py::dict result;
    result["format_version"] = info.format_version;
    result["producer"] = info.producer;
    result["compact"] = info.compact;
    result["n_classes"] = info.n_classes;
    result["n_labels"] = info.n_labels;
    result["n_rows"] = info.n_rows;
    result["dimension"] = info.dimension;
    result["block_rows"] = info.block_rows;
    result["n_blocks"] = info.n_blocks;
    result["n_distinct_blocks"] = info.n_distinct_blocks;
    result["n_twins"] = info.n_twins;
    result["normalize_classes"] = info.normalize_classes;
    result["missing_classes"] = info.refill ? "refill" : "skip";
    result["scored_fraction"] = info.scored_fraction;
    result["label_sets"] = label_set_sizes(index);
    result["checksum"] = info.checksum;
    result["nbytes"] = info.nbytes;
    return result;
}

const TextView texts_of(const Index& index, const std::string& which) {
    if (which == "class_names") return index.class_names();
    if (which == "class_ids") return index.class_ids();
    if (which == "label_names") return index.label_names();
    return index.label_ids();
}

py::str text(const Index& index, const std::string& which, std::size_t i) {
    const TextView texts = texts_of(index, which);
    return decoded(text_at(texts, i));
}

}  // namespace

void bind_index(py::module_& module) {
    py::class_<Prepared>(module, "CandidateSet");
    py::class_<Index>(module, "Index")
        .def_static("build", &build, py::kw_only(), py::arg("class_embeddings").noconvert(),
                    py::arg("label_embeddings").noconvert(), py::arg("n_labels"), py::arg("row_label").noconvert(),
                    py::arg("label_class").noconvert(), py::arg("class_names"), py::arg("class_ids"),
                    py::arg("label_names"), py::arg("label_ids"), py::arg("label_sets"), py::arg("normalize_classes"),
                    py::arg("compact"), py::arg("missing_classes"), py::arg("path"), py::arg("n_threads"),
                    py::arg("progress"))
        .def_static("open", &Index::open)
        .def_static("from_bytes",
                    [](const py::bytes& bytes) {
                        const std::string_view view = bytes;
                        return Index::from_bytes(view.data(), view.size());
                    })
        .def("to_bytes", [](const Index& index) { return py::bytes(index.bytes()); })
        .def("save", &Index::save, py::call_guard<ReleaseGil>())
        .def("verify",
             [](const Index& index, int n_threads) {
                 const Execution how = execution(n_threads);
                 const ReleaseGil nogil;
                 index.verify(how);
             })
        .def("rank", &rank)
        .def("plain_ranker", &plain_ranker)
        .def("rank_logits", &rank_logits)
        .def("rank_pairs", &rank_pairs)
        .def("prepare", &prepare)
        .def("score_of", &score_of)
        .def("embed", &embed)
        .def("info", &info)
        .def("plan",
             [](const Index& index, std::size_t top_t, std::size_t k, std::size_t n_images,
                const std::optional<Prepared>& candidates) {
                 const Plan plan = index.plan(top_t, k, n_images, candidates ? candidates->set : nullptr);
                 return py::make_tuple(plan.from_table ? "table" : "embeddings", plan.bounded, plan.expected_fraction,
                                       plan.reason);
             })
        .def("has_texts",
             [](const Index& index, const std::string& which) { return texts_of(index, which).offsets != nullptr; })
        .def("text", &text)
        .def("label_set",
             [](const Index& index, std::size_t place) {
                 const LabelIds labels = index.label_set(place);
                 return py::array_t<std::int32_t>(static_cast<py::ssize_t>(labels.count), labels.ids);
             })
        .def("label_class", [](const py::object& self) {
            const auto& index = self.cast<const Index&>();
            py::array_t<std::int32_t> view(static_cast<py::ssize_t>(index.n_labels()), index.label_class(), self);
            view.attr("flags").attr("writeable") = false;
            return view;
        });
}

}  // namespace conse::bindings
