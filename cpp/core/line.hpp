// What kernels load or store sixteen numbers at a time lies in whole lines of the cache: across two of them a query
// that is screened (`core/screening`, 50 dimensions) takes 1.08 times as long.
#pragma once

namespace conse {

struct alignas(64) Line {
    float lanes[16];
};

}  // namespace conse
