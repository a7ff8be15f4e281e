// How a call may use the machine, and how it can be stopped.
#pragma once

#include <functional>

namespace conse {

struct Execution {
    int n_threads = 0;  // 0: what the affinity mask and OpenMP's settings allow, max_threads()

    // Called on the calling thread about every twenty milliseconds, with the share that is done (0 to 1), while
    // other threads go on; a ranking has several steps, each with a share of its own. An exception thrown here stops
    // the call and reaches the caller.
    std::function<void(double)> checkpoint;
};

/// Threads that a call with n_threads = 0 would use now; 1 in a forked child and in a build without OpenMP.
int max_threads();

}  // namespace conse
