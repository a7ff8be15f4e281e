#include "kernels/kernels.hpp"

#include <cmath>

#include "check.hpp"
#include "core/dispatch.hpp"
#include "kernels/half.hpp"
#include "targets.hpp"

namespace conse {
namespace {

CONSE_TEST(targets, "kernels.targets end with generic and an unknown one is refused with a list") {
    CHECK(supported_targets().back() == "generic");
    testing::for_each_target([] { CHECK(current_target() == std::getenv("CONSE_FAST_TARGET")); });
    setenv("CONSE_FAST_TARGET", "pentium", 1);
    CHECK_THROWS((choose_target(), 0), std::invalid_argument, "generic");
    unsetenv("CONSE_FAST_TARGET");
}

CONSE_TEST(halves, "kernels.half_to_float is exact for every pattern") {
    for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
        const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
        const float sign = bits & 0x8000u ? -1.0f : 1.0f, x = half_to_float(static_cast<std::uint16_t>(bits));
        if (exponent == 31) {
            CHECK(fraction ? std::isnan(x) : x == sign * INFINITY);
        } else {
            const int scale = exponent == 0 ? -24 : exponent - 25;
            CHECK(x == sign * std::ldexp(static_cast<float>(exponent == 0 ? fraction : fraction + 1024), scale));
        }
    }
}

CONSE_TEST(tiles, "kernels.score_tile sums in order and marks what reaches the floor") {
    testing::for_each_target([] {
        for (const std::size_t n_terms : {0, 1, 10, 31, 32, 33, 100}) {
            const auto weights = testing::random_floats(n_terms, 1), tile = testing::random_floats(64 * kTileLanes, 2);
            std::vector<std::uint32_t> rows(n_terms);
            for (std::size_t t = 0; t < n_terms; ++t) rows[t] = static_cast<std::uint32_t>(t * 37 % 64);
            float scores[kTileLanes];
            const std::uint32_t mask =
                kernels().score_tile(weights.data(), rows.data(), n_terms, tile.data(), 0.5f, scores);
            for (std::size_t lane = 0; lane < kTileLanes; ++lane) {
                double exact = 0;
                for (std::size_t t = 0; t < n_terms; ++t) {
                    exact += static_cast<double>(weights[t]) * static_cast<double>(tile[rows[t] * kTileLanes + lane]);
                }
                CHECK(std::abs(static_cast<double>(scores[lane]) - exact) < 1e-5);
                CHECK((mask >> lane & 1) == (scores[lane] >= 0.5f));
            }
        }
    });
}

CONSE_TEST(monotone, "kernels.a tile of maxima never scores below the tile under it") {
    testing::for_each_target([] {
        const auto tile = testing::random_floats(50 * kTileLanes, 3);
        std::vector<float> maxima(50 * kTileLanes), weights = testing::random_floats(50, 4);
        for (float& weight : weights) weight = std::abs(weight);
        std::vector<std::uint32_t> rows(50);
        for (std::size_t t = 0; t < 50; ++t) {
            rows[t] = static_cast<std::uint32_t>(t);
            const auto begin = tile.begin() + static_cast<std::ptrdiff_t>(t * kTileLanes);
            maxima[t * kTileLanes] = *std::max_element(begin, begin + kTileLanes);
        }
        float scores[kTileLanes], bounds[kTileLanes];
        kernels().score_tile(weights.data(), rows.data(), 50, tile.data(), 0, scores);
        kernels().score_tile(weights.data(), rows.data(), 50, maxima.data(), 0, bounds);
        for (const float score : scores) CHECK(bounds[0] >= score);
    });
}

CONSE_TEST(combination, "kernels.combine and squared_length equal plain float64") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {1, 7, 15, 16, 17, 33, 300}) {
            const auto embeddings = testing::exactly(testing::random_floats(20 * dimension, 5));
            const std::vector<std::uint32_t> rows{19, 0, 7};
            const std::vector<double> weights{0.5, 0.25, 0.125};
            std::vector<double> f((dimension + 15) / 16 * 16, -1);
            kernels().combine(weights.data(), rows.data(), 3, embeddings.get(), dimension, f.data());
            double squares = 0;
            for (std::size_t d = 0; d < f.size(); ++d) {
                double exact = 0;
                for (std::size_t t = 0; t < 3 && d < dimension; ++t)
                    exact += weights[t] * static_cast<double>(embeddings[rows[t] * dimension + d]);
                CHECK(std::abs(f[d] - exact) < 1e-15);
                squares += exact * exact;
            }
            CHECK(std::abs(kernels().squared_length(f.data(), dimension) - squares) < 1e-12);
        }
    });
}

CONSE_TEST(same_bits, "kernels.all targets with FMA give the same bits") {
    const std::size_t dimension = 301;
    const auto embeddings = testing::random_floats(40 * dimension, 9), weights = testing::random_floats(40, 10);
    std::vector<std::uint32_t> rows(40);
    for (std::uint32_t t = 0; t < 40; ++t) rows[t] = 39 - t;
    std::vector<float> first;
    testing::for_each_target([&] {
        if (!kernels().fused) return;
        const std::vector<double> shares(weights.begin(), weights.end());
        std::vector<double> f(304);
        std::vector<float> bits(kTileLanes + 1);
        kernels().combine(shares.data(), rows.data(), 40, embeddings.data(), dimension, f.data());
        kernels().score_tile(weights.data(), rows.data(), 40, embeddings.data(), 0, bits.data());
        bits.back() = static_cast<float>(kernels().squared_length(f.data(), dimension));
        if (first.empty()) first = bits;
        CHECK(bits == first);
    });
}

}  // namespace
}  // namespace conse
