// Calls whose arguments are just what the core needs, which is most: nothing to convert, nothing to complain about.
#pragma once

#include <optional>

#include "bindings/arrays.hpp"

namespace conse::bindings {

/// The view of a C-contiguous, aligned (C,) or (N, C) array of a floating type in native byte order.
std::optional<MatrixView> plain_rows(const py::handle& x);

/// A whole number from 1 to 2^31 - 1.
std::optional<std::size_t> plain_count(const py::handle& x);

/// What every ranking is handed.
struct PlainCall {
    MatrixView rows;
    py::array scores, indices;  // (k,) or (N, k)
    RankingView ranking;        // of these
    int n_threads;
};

/// New arrays for results when `out` is None; else its two when they fit and overlap neither rows nor labels, which may
/// be null.
std::optional<PlainCall> plain_call(const py::handle& rows, const py::handle& k, const py::handle& out,
                                    const py::handle& n_threads, const py::handle& labels = {});

/// A Ranking of these arrays.
py::object plain_ranking(const PlainCall& call);

using PlainFunction = py::object (*)(PyObject* owner, PyObject* const* arguments);
PyObject* call_plain(PlainFunction function, Py_ssize_t expected, PyObject* owner, PyObject* const* arguments,
                     Py_ssize_t count);

/// A function in the way that Python calls its own: pybind11's takes 0.27 us more of 1.94, for arguments that need no
/// conversion. `function` is given the owner and `count` arguments.
template <PlainFunction function, Py_ssize_t count>
py::object plain_function(const char* name, const py::handle& owner) {
    PyObject* (*const call)(PyObject*, PyObject* const*, Py_ssize_t) = [](PyObject* self, PyObject* const* arguments,
                                                                          Py_ssize_t n) {
        return call_plain(function, count, self, arguments, n);
    };
    static PyMethodDef definition{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
                                  METH_FASTCALL, nullptr};
    PyObject* result = PyCFunction_New(&definition, owner.ptr());
    if (result == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

}  // namespace conse::bindings
