// The extension module conse_fast._core: its table of contents, and how errors cross the border.
#include <cerrno>

#include "bindings/arrays.hpp"

namespace conse::bindings {
namespace {

// Messages hold paths, which need not be UTF-8.
void set_value_error(const char* message) {
    const auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeFSDefault(message));
    PyErr_SetObject(PyExc_ValueError, text.ptr());
}

void translate(std::exception_ptr error) {
    try {
        if (error) std::rethrow_exception(error);
    } catch (const SystemError& system) {
        errno = system.code;
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, system.path.c_str());
    } catch (const FormatError& format) {
        set_value_error(format.what());
    } catch (const std::invalid_argument& argument) {
        set_value_error(argument.what());
    }
}

}  // namespace
}  // namespace conse::bindings

PYBIND11_MODULE(_core, module) {
    module.doc() = "The compiled core of conse_fast. Use the package's public functions, which check their arguments.";
    pybind11::register_exception_translator(&conse::bindings::translate);
    module.attr("version") = CONSE_VERSION;
    conse::bindings::bind_primitives(module);
    conse::bindings::bind_index(module);
    conse::bindings::bind_explain(module);
    conse::bindings::bind_limits(module);
}
