// What this machine can do at most: something to compare a measured time with.
#pragma once

#include <cstddef>
#include <string>

#include "conse/execution.hpp"

namespace conse {

/// The best of several passes each, on all of `n_threads` threads together.
struct Limits {
    double read_once_bytes_per_second;  // the first pass over a buffer that was just written
    double bandwidth_bytes_per_second;  // any pass, those that repeat one included
    double multiply_adds_per_second;    // of float32, in registers
    int n_threads;
    std::string target;
};

/// Measures with a buffer of so many million bytes (1 to 16384), for about half a second, or several for a buffer of
/// gigabytes. One that fits into the caches measures them.
Limits measure_limits(std::size_t megabytes = 256, const Execution& execution = {});

}  // namespace conse
