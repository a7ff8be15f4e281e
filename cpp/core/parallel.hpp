// Spreads independent items over threads. The only place that knows OpenMP.
#pragma once

#include <cstddef>

#include "conse/execution.hpp"

namespace conse {

/// `items` independent items that take about `microseconds` each, less when so many go `together`: ranges are not
/// shorter while there is one for every thread.
struct Work {
    std::size_t items;
    double microseconds;
    std::size_t together = 1;
};

namespace detail {
using RangeFunction = void (*)(const void* body, std::size_t begin, std::size_t end);
void parallel_for(const Work& work, const Execution& execution, const void* body, RangeFunction call);
}  // namespace detail

/// Calls body(begin, end) for consecutive ranges that cover [0, items), on several threads when the work is
/// worth waking them. The exception of the lowest range wins, so that errors do not depend on the threads.
template <class Body>
void parallel_for(const Work& work, const Execution& execution, const Body& body) {
    detail::parallel_for(work, execution, &body, [](const void* context, std::size_t begin, std::size_t end) {
        (*static_cast<const Body*>(context))(begin, end);
    });
}

/// For one of several steps: a checkpoint that reports its shares as lying between `from` and `to`. It refers to
/// `execution`, which must outlive it.
Execution stage(const Execution& execution, double from, double to);

/// How many threads such work would use.
int threads_for(const Work& work, const Execution& execution);

}  // namespace conse
