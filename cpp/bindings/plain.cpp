#include "bindings/plain.hpp"

#include <pybind11/gil_safe_call_once.h>

#include <algorithm>
#include <array>

namespace conse::bindings {
namespace {

constexpr int kNumFloat32 = 11, kNumFloat64 = 12, kNumFloat16 = 23, kNumInt64 = 7;
constexpr int kAligned = 0x100, kPlain = py::array::c_style | kAligned;

// An array itself, no subclass: a masked array has a mask that would be ignored.
bool is_array(const py::handle& x) {
    return Py_TYPE(x.ptr()) == py::detail::npy_api::get().PyArray_Type_;
}

// The number that NumPy has for the type of a plain array, or -1.
int plain_type(const py::handle& x) {
    if (!is_array(x)) return -1;
    const auto array = py::reinterpret_borrow<py::array>(x);
    const py::dtype dtype = array.dtype();
    const bool native = dtype.byteorder() == '=' || dtype.byteorder() == '|';
    return native && (array.flags() & kPlain) == kPlain ? dtype.num() : -1;
}

// By NumPy's own call: the constructors of py::array take twice as long.
py::array new_array(int number, int ndim, const py::ssize_t* shape) {
    const py::detail::npy_api& api = py::detail::npy_api::get();
    PyObject* array = api.PyArray_NewFromDescr_(api.PyArray_Type_, api.PyArray_DescrFromType_(number), ndim, shape,
                                                nullptr, nullptr, 0, nullptr);
    if (array == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::array>(array);
}

bool overlap(const py::array& a, const py::array& b) {
    const auto *begin_a = static_cast<const char*>(a.data()), *begin_b = static_cast<const char*>(b.data());
    return begin_a < begin_b + b.nbytes() && begin_b < begin_a + a.nbytes();
}

// New arrays (k,) or (N, k) for such rows when `out` is None; else its two when they fit and overlap nothing.
std::optional<std::pair<py::array, py::array>> plain_results(const py::array& rows, std::size_t k,
                                                             const py::handle& out, const py::handle& labels) {
    const auto n_best = static_cast<py::ssize_t>(k);
    const std::array<py::ssize_t, 2> shape{rows.ndim() == 2 ? rows.shape(0) : n_best, n_best};
    const int ndim = static_cast<int>(rows.ndim());
    if (out.is_none()) {
        return std::make_pair(new_array(kNumFloat32, ndim, shape.data()), new_array(kNumInt64, ndim, shape.data()));
    }
    if (!PyTuple_Check(out.ptr()) || PyTuple_GET_SIZE(out.ptr()) != 2) return std::nullopt;
    const py::handle scores = PyTuple_GET_ITEM(out.ptr(), 0), indices = PyTuple_GET_ITEM(out.ptr(), 1);
    if (plain_type(scores) != kNumFloat32 || plain_type(indices) != kNumInt64) return std::nullopt;
    auto results =
        std::make_pair(py::reinterpret_borrow<py::array>(scores), py::reinterpret_borrow<py::array>(indices));
    for (const py::array* result : {&results.first, &results.second}) {
        const py::array& array = *result;
        const bool same_shape = array.ndim() == rows.ndim() && array.shape(array.ndim() - 1) == shape.back() &&
                                (array.ndim() == 1 || array.shape(0) == shape.front());
        if (!same_shape || !array.writeable() || overlap(array, rows)) return std::nullopt;
        if (labels && overlap(array, py::reinterpret_borrow<py::array>(labels))) return std::nullopt;
    }
    if (overlap(results.first, results.second)) return std::nullopt;
    return results;
}

}  // namespace

std::optional<MatrixView> plain_rows(const py::handle& x) {
    const int number = plain_type(x);
    if (number != kNumFloat32 && number != kNumFloat64 && number != kNumFloat16) return std::nullopt;
    const auto array = py::reinterpret_borrow<py::array>(x);
    if (array.ndim() != 1 && array.ndim() != 2) return std::nullopt;
    const DType dtype = number == kNumFloat32 ? DType::f32 : number == kNumFloat64 ? DType::f64 : DType::f16;
    const py::ssize_t columns = array.shape(array.ndim() - 1), rows = array.ndim() == 2 ? array.shape(0) : 1;
    return MatrixView{array.data(),
                      dtype,
                      static_cast<std::size_t>(rows),
                      static_cast<std::size_t>(columns),
                      columns * array.itemsize(),
                      array.itemsize()};
}

std::optional<std::size_t> plain_count(const py::handle& x) {
    if (!PyLong_CheckExact(x.ptr())) return std::nullopt;
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(x.ptr(), &overflow);
    if (overflow != 0 || value < 1 || value > 0x7fffffff) return std::nullopt;
    return static_cast<std::size_t>(value);
}

std::optional<PlainCall> plain_call(const py::handle& x, const py::handle& k, const py::handle& out,
                                    const py::handle& n_threads, const py::handle& labels) {
    const auto rows = plain_rows(x);
    const auto n_best = plain_count(k);
    const auto most_threads = n_threads.is_none() ? std::optional<std::size_t>(0) : plain_count(n_threads);
    if (!rows || !n_best || !most_threads) return std::nullopt;
    auto results = plain_results(py::reinterpret_borrow<py::array>(x), *n_best, out, labels);
    if (!results) return std::nullopt;
    auto& [scores, indices] = *results;
    const RankingView ranking{static_cast<float*>(const_cast<void*>(scores.data())),
                              static_cast<std::int64_t*>(const_cast<void*>(indices.data())), *n_best};
    return PlainCall{*rows, std::move(scores), std::move(indices), ranking,
                     static_cast<int>(std::min<std::size_t>(*most_threads, 1024))};
}

// As tuple.__new__ does, which takes 0.15 us of a single row's 2.5 by way of another tuple.
py::object plain_ranking(const PlainCall& call) {
    PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> storage;
    const auto find = [] { return py::object(py::module_::import("conse_fast._ranking").attr("Ranking")); };
    const py::object& type = storage.call_once_and_store_result(find).get_stored();
    auto* const tuple_type = reinterpret_cast<PyTypeObject*>(type.ptr());
    auto ranking = py::reinterpret_steal<py::object>(tuple_type->tp_alloc(tuple_type, 2));
    if (!ranking) throw py::error_already_set();
    PyTuple_SET_ITEM(ranking.ptr(), 0, call.scores.inc_ref().ptr());
    PyTuple_SET_ITEM(ranking.ptr(), 1, call.indices.inc_ref().ptr());
    return ranking;
}

PyObject* call_plain(PlainFunction function, Py_ssize_t expected, PyObject* owner, PyObject* const* arguments,
                     Py_ssize_t count) {
    if (count != expected) return PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", expected, count);
    try {
        return function(owner, arguments).release().ptr();
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (...) {
        py::detail::try_translate_exceptions();
    }
    return nullptr;
}

}  // namespace conse::bindings
