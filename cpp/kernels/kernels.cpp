// The hot loops, compiled once per instruction set; CMake defines
//   CONSE_TARGET_NAME       the psABI name, "x86-64-v3"
//   CONSE_TARGET_NAMESPACE  the same as an identifier, x86_64_v3
//   CONSE_TARGET_HEADER     "native_avx2.hpp"
//   CONSE_TARGET_FUSED      whether multiply_add rounds once
// Raw pointers only: no containers, no algorithms, no allocation, no exceptions (kernels.hpp says why).
#include "kernels.hpp"

#include <cstddef>
#include <cstdint>

#include CONSE_TARGET_HEADER
#include "combine.hpp"
#include "dense.hpp"
#include "limits.hpp"
#include "pairs.hpp"
#include "score.hpp"
#include "screen.hpp"
#include "select.hpp"
#include "shares.hpp"

namespace conse {

static_assert(kDotLanes == 16 && kBlockRows == 16 && kFanOut == 32 && kSurveyLanes == 64,
              "the loops below are written for these");

#define CONSE_JOIN_(a, b) a##b
#define CONSE_JOIN(a, b) CONSE_JOIN_(a, b)
#define CONSE_TABLE CONSE_JOIN(kernels_, CONSE_TARGET_NAMESPACE)

extern const KernelTable CONSE_TABLE;
const KernelTable CONSE_TABLE = {
    CONSE_TARGET_NAME,
    CONSE_TARGET_FUSED,
    CONSE_TARGET_NAMESPACE::survey<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::survey<float>,
    CONSE_TARGET_NAMESPACE::survey<double>,
    CONSE_TARGET_NAMESPACE::survey_weights<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::survey_weights<float>,
    CONSE_TARGET_NAMESPACE::collect<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::collect<float>,
    CONSE_TARGET_NAMESPACE::collect<double>,
    CONSE_TARGET_NAMESPACE::rank_few,
    CONSE_TARGET_NAMESPACE::total_weight<float>,
    CONSE_TARGET_NAMESPACE::total_weight<double>,
    CONSE_TARGET_NAMESPACE::share_out<float>,
    CONSE_TARGET_NAMESPACE::share_out<double>,
    CONSE_TARGET_NAMESPACE::combine,
    CONSE_TARGET_NAMESPACE::combine_many,
    CONSE_TARGET_NAMESPACE::combine_all,
    CONSE_TARGET_NAMESPACE::squared_length,
    CONSE_TARGET_NAMESPACE::pair_sum,
    CONSE_TARGET_NAMESPACE::score_block,
    CONSE_TARGET_NAMESPACE::score_plain_block,
    CONSE_TARGET_NAMESPACE::bound_tile,
    CONSE_TARGET_NAMESPACE::best_lane,
    CONSE_TARGET_NAMESPACE::keep_best,
    CONSE_TARGET_NAMESPACE::pack<float>,
    CONSE_TARGET_NAMESPACE::pack<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::dots<float>,
    CONSE_TARGET_NAMESPACE::dots<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::enclose<float>,
    CONSE_TARGET_NAMESPACE::enclose<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::invert_lengths,
    CONSE_TARGET_NAMESPACE::invert_given,
    CONSE_TARGET_NAMESPACE::scale,
    CONSE_TARGET_NAMESPACE::score_queries,
    CONSE_TARGET_NAMESPACE::read,
    CONSE_TARGET_NAMESPACE::multiply_adds,
};

}  // namespace conse
