// The kernels of dense ranking, each on every target.
#include <cmath>
#include <limits>

#include <utility>

#include "check.hpp"
#include "core/dispatch.hpp"
#include "kernels/half.hpp"
#include "targets.hpp"

namespace conse {
namespace {

constexpr std::size_t kDimensions[] = {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 50, 300, 1023, 1024, 1025, 2049};

std::size_t tiles_of(std::size_t n_labels) {
    return (n_labels + kDenseLanes - 1) / kDenseLanes;
}

// Packed labels and what the kernels say of them, with factors of 1.
struct Packed {
    std::size_t n_tiles, dimension;
    std::vector<float> tiles, factors;
    std::vector<double> squares;

    explicit Packed(const DenseRows& rows)
        : n_tiles(tiles_of(rows.count)),
          dimension(rows.dimension),
          tiles(n_tiles * kDenseLanes * dimension, -1),
          factors(n_tiles * kDenseLanes, 1),
          squares(n_tiles * kDenseLanes, -1) {
        kernels().pack_f32(rows, tiles.data(), squares.data());
    }
    DenseTiles view() const { return {tiles.data(), n_tiles, dimension, factors.data()}; }
};

std::vector<float> scores_of(const DenseQueries& queries, const DenseTiles& tiles, std::vector<std::uint16_t>& masks) {
    std::vector<float> scores(queries.count * tiles.count * kDenseLanes);
    masks.assign(queries.count * tiles.count, 0);
    kernels().score_queries(queries, tiles, scores.data(), masks.data());
    return scores;
}

DenseRows rows_of(const float* labels, std::size_t count, std::size_t dimension) {
    return {labels, static_cast<std::ptrdiff_t>(dimension * sizeof(float)), count, dimension};
}

CONSE_TEST(packing, "dense.pack transposes, pads with zeros and never reads past a row") {
    testing::for_each_target([] {
        for (const std::size_t dimension : kDimensions) {
            for (const std::size_t count : {1, 15, 16, 17, 40}) {
                const auto labels = testing::exactly(testing::random_floats(count * dimension, 1));
                const Packed packed(rows_of(labels.get(), count, dimension));
                for (std::size_t i = 0; i < packed.n_tiles * kDenseLanes; ++i) {
                    double squares = 0;
                    for (std::size_t d = 0; d < dimension; ++d) {
                        const float x = i < count ? labels[i * dimension + d] : 0;
                        CHECK(packed.tiles[((i / 16) * dimension + d) * 16 + i % 16] == x);
                        squares += static_cast<double>(x) * static_cast<double>(x);
                    }
                    CHECK(std::abs(packed.squares[i] - squares) <= 4.8e-7 * squares);
                }
            }
        }
    });
}

CONSE_TEST(strides, "dense.pack and dots read rows at any distance, backwards too") {
    testing::for_each_target([] {
        const std::size_t dimension = 21, count = 19;
        const auto wide = testing::random_floats(count * 50, 2), query = testing::random_floats(dimension, 3);
        std::vector<float> close(count * dimension);
        for (std::size_t i = 0; i < close.size(); ++i) {
            close[i] = wide[(count - 1 - i / dimension) * 50 + i % dimension];
        }
        const DenseRows rows{wide.data() + (count - 1) * 50, -200, count, dimension};
        const DenseRows expected = rows_of(close.data(), count, dimension);
        CHECK(Packed(rows).tiles == Packed(expected).tiles);
        std::vector<float> dots(32), expected_dots(32);
        std::vector<double> squares(32), expected_squares(32);
        kernels().dots_f32(query.data(), rows, dots.data(), squares.data());
        kernels().dots_f32(query.data(), expected, expected_dots.data(), expected_squares.data());
        CHECK(dots == expected_dots);
        CHECK(squares == expected_squares);
    });
}

CONSE_TEST(lengths, "dense.squared lengths hold for any float32") {
    testing::for_each_target([] {
        for (const float scale : {0.0f, 1e-42f, 1e-30f, 1e-16f, 1.0f, 1e16f, 1e30f}) {
            auto labels = testing::random_floats(16 * 33, 4);
            for (float& x : labels) x *= scale;
            const Packed packed(rows_of(labels.data(), 16, 33));
            for (std::size_t i = 0; i < 16; ++i) {
                double squares = 0;
                for (std::size_t d = 0; d < 33; ++d) squares += std::pow(static_cast<double>(labels[i * 33 + d]), 2);
                CHECK(std::abs(packed.squares[i] - squares) <= 4.8e-7 * squares);
            }
        }
    });
}

// Lowest and highest scores of labels.
struct Bounds {
    std::vector<float> lowest, highest;

    Bounds(const std::vector<float>& query, const DenseRows& rows, const double* lengths, double margin)
        : lowest((rows.count + 15) / 16 * 16), highest(lowest.size()) {
        kernels().enclose_f32(query.data(), rows, lengths, static_cast<float>(margin), lowest.data(), highest.data());
    }
};

CONSE_TEST(screening, "dense.enclose holds the scores, hardly more than that, and never reads past a row") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {16, 17, 31, 32, 33, 48, 50, 300, 1023, 1025}) {
            const std::size_t count = dimension == 17 ? 3 : 37;
            const auto labels = testing::exactly(testing::random_floats(count * dimension, 5));
            const auto query = testing::random_floats(dimension, 6);
            const DenseRows rows = rows_of(labels.get(), count, dimension);
            std::vector<double> given(count);
            for (std::size_t i = 0; i < count; ++i) given[i] = 1 + static_cast<double>(i % 5);
            double squares_of_query = 0;
            for (const float x : query) squares_of_query += static_cast<double>(x) * static_cast<double>(x);
            const double margin = 1e-6 * static_cast<double>(dimension) * std::sqrt(squares_of_query);
            for (const bool with_lengths : {false, true}) {
                const Bounds bounds(query, rows, with_lengths ? given.data() : nullptr, margin);
                for (std::size_t i = 0; i < count; ++i) {
                    double product = 0, squares = 0;
                    for (std::size_t d = 0; d < dimension; ++d) {
                        const double x = static_cast<double>(labels[i * dimension + d]);
                        product += x * static_cast<double>(query[d]);
                        squares += x * x;
                    }
                    const double length = with_lengths ? given[i] : std::sqrt(squares);
                    const double lowest = static_cast<double>(bounds.lowest[i]);
                    const double highest = static_cast<double>(bounds.highest[i]);
                    CHECK(lowest <= product / length && product / length <= highest);
                    CHECK(highest - lowest <= 2.1 * margin * std::sqrt(squares) / length);
                }
            }
        }
    });
}

CONSE_TEST(screening_the_strange, "dense.enclose says nothing of what is too long, too short or no number") {
    testing::for_each_target([] {
        const std::vector<float> query(20, 1);
        const auto unknown = [](const Bounds& bounds, std::size_t i) {
            return bounds.lowest[i] == -INFINITY && bounds.highest[i] == INFINITY;
        };
        for (const float strange : {1e-42f, 1e-11f, 1e11f, 3e38f, INFINITY, -INFINITY, NAN}) {
            std::vector<float> labels(18 * 20, -1);
            for (std::size_t d = 0; d < 20; ++d) labels[17 * 20 + d] = std::copysign(strange, -1.0f);
            std::vector<double> lengths(18, 1);
            lengths[4] = static_cast<double>(strange);
            lengths[5] = 1e-50;
            const DenseRows rows = rows_of(labels.data(), 18, 20);
            const Bounds own(query, rows, nullptr, 1e-3), given(query, rows, lengths.data(), 1e-3);
            for (std::size_t i = 0; i < 18; ++i) {
                CHECK(unknown(own, i) == (i == 17));
                CHECK(unknown(given, i) == (i == 4 || i == 5 || i == 17));
            }
        }
    });
}

CONSE_TEST(screening_nothing, "dense.enclose lets no label rank that has no direction") {
    testing::for_each_target([] {
        const std::vector<float> query(20, 1);
        std::vector<float> labels(18 * 20, 1);
        for (const std::size_t none : {3, 17}) std::fill_n(labels.begin() + static_cast<long>(none * 20), 20, -0.0f);
        std::vector<double> lengths(18, 1);
        lengths[7] = 0;
        const DenseRows rows = rows_of(labels.data(), 18, 20);
        const Bounds own(query, rows, nullptr, 1e-3), given(query, rows, lengths.data(), 1e-3);
        for (std::size_t i = 0; i < 18; ++i) {
            CHECK((own.highest[i] == -INFINITY) == (i == 3 || i == 17));
            CHECK((given.highest[i] == -INFINITY) == (i == 7));
        }
    });
}

CONSE_TEST(screening_hardly_anything,
           "dense.enclose knows the least number from zeros of both signs, wherever it stands") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {16, 17, 20, 50}) {
            const std::vector<float> query(dimension, 1);
            std::vector<float> labels((dimension + 1) * dimension, -0.0f);
            for (std::size_t d = 0; d < dimension; ++d) labels[d * dimension + d] = 1e-45f;
            const Bounds bounds(query, rows_of(labels.data(), dimension + 1, dimension), nullptr, 1e-3);
            for (std::size_t i = 0; i <= dimension; ++i) {
                CHECK(bounds.highest[i] == (i < dimension ? INFINITY : -INFINITY));
            }
        }
        const std::vector<float> query(17, 1);
        std::vector<std::uint16_t> halves(17, 0x8000);
        float lowest[16], highest[16];
        const auto enclose = [&] {
            kernels().enclose_f16(query.data(), {halves.data(), 34, 1, 17}, nullptr, 1e-3f, lowest, highest);
        };
        enclose();
        CHECK(highest[0] == -INFINITY);
        halves[16] = 1;
        enclose();
        CHECK(highest[0] > -INFINITY);
    });
}

CONSE_TEST(scoring, "dense.score_queries equals float64 and marks what reaches the floor") {
    testing::for_each_target([] {
        for (const std::size_t dimension : kDimensions) {
            const std::size_t count = 37, n_queries = 5, stride = dimension + 3;
            const auto labels = testing::random_floats(count * dimension, 5);
            const auto queries = testing::random_floats(n_queries * stride, 6);
            const std::vector<float> floors{0, 1, -1, INFINITY, -INFINITY};
            Packed packed(rows_of(labels.data(), count, dimension));
            packed.factors[3] = std::numeric_limits<float>::quiet_NaN();
            packed.factors[4] = 0.5;
            std::vector<std::uint16_t> masks;
            const auto scores = scores_of({queries.data(), stride, n_queries, floors.data()}, packed.view(), masks);
            for (std::size_t q = 0; q < n_queries; ++q) {
                for (std::size_t i = 0; i < count; ++i) {
                    double exact = 0;
                    for (std::size_t d = 0; d < dimension; ++d) {
                        const double x = static_cast<double>(labels[i * dimension + d]);
                        exact += static_cast<double>(queries[q * stride + d]) * x;
                    }
                    const float score = scores[q * 48 + i];
                    CHECK((masks[q * 3 + i / 16] >> i % 16 & 1) == (score >= floors[q]));
                    if (i == 3) continue;
                    exact *= i == 4 ? 0.5 : 1;
                    CHECK(std::abs(static_cast<double>(score) - exact) < 1e-6 * static_cast<double>(dimension + 10));
                }
            }
        }
    });
}

CONSE_TEST(one_arithmetic, "dense.scores do not depend on how many queries and tiles there are") {
    testing::for_each_target([] {
        for (const std::size_t dimension : kDimensions) {
            const std::size_t count = 48, most = 40;
            const auto labels = testing::random_floats(count * dimension, 7);
            const auto queries = testing::exactly(testing::random_floats(most * dimension, 8));
            const std::vector<float> floors(most, 0);
            const Packed packed(rows_of(labels.data(), count, dimension));
            std::vector<float> expected(most * count);
            std::vector<double> squares(count);
            for (std::size_t q = 0; q < most; ++q) {
                kernels().dots_f32(queries.get() + q * dimension, rows_of(labels.data(), count, dimension),
                                   expected.data() + q * count, squares.data());
            }
            CHECK(squares == packed.squares);
            std::vector<std::uint16_t> masks;
            for (std::size_t n = 1; n <= most; ++n) {
                for (const std::size_t n_tiles : {1, 2, 3}) {
                    const DenseTiles tiles{packed.tiles.data(), n_tiles, dimension, packed.factors.data()};
                    const auto scores = scores_of({queries.get(), dimension, n, floors.data()}, tiles, masks);
                    for (std::size_t i = 0; i < scores.size(); ++i) {
                        const std::size_t q = i / (16 * n_tiles), label = i % (16 * n_tiles);
                        CHECK(scores[i] == expected[q * count + label]);
                    }
                }
            }
        }
    });
}

CONSE_TEST(plain_blocks, "dense.a score is the one of an index's block, to the bit") {
    testing::for_each_target([] {
        for (const std::size_t dimension : kDimensions) {
            const auto block = testing::random_floats(dimension * kBlockRows, 9);
            const auto query = testing::random_floats(dimension, 10);
            std::vector<float> expected(kBlockRows);
            kernels().score_plain_block(query.data(), dimension, block.data(), 0, expected.data());
            const std::vector<float> factors(kBlockRows, 1);
            const float floor = 0;
            std::vector<std::uint16_t> masks;
            CHECK(scores_of({query.data(), dimension, 1, &floor}, {block.data(), 1, dimension, factors.data()},
                            masks) == expected);
        }
    });
}

CONSE_TEST(halves, "dense.float16 labels equal the same labels in float32") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {3, 8, 37, 64}) {
            const std::size_t count = 21;
            std::vector<std::uint16_t> bits(count * dimension);
            for (std::size_t i = 0; i < bits.size(); ++i) {
                bits[i] = static_cast<std::uint16_t>(i * 2654435761u % 0x7c00u);
            }
            const auto half = testing::exactly(bits);
            std::vector<float> single(bits.size());
            for (std::size_t i = 0; i < bits.size(); ++i) single[i] = half_to_float(bits[i]);
            const DenseRows rows{half.get(), static_cast<std::ptrdiff_t>(2 * dimension), count, dimension};
            const Packed expected(rows_of(single.data(), count, dimension));
            std::vector<float> tiles(expected.tiles.size()), dots(32), expected_dots(32);
            std::vector<double> squares(32);
            kernels().pack_f16(rows, tiles.data(), squares.data());
            CHECK(tiles == expected.tiles);
            CHECK(squares == expected.squares);
            const auto query = testing::random_floats(dimension, 11);
            kernels().dots_f16(query.data(), rows, dots.data(), squares.data());
            kernels().dots_f32(query.data(), rows_of(single.data(), count, dimension), expected_dots.data(),
                               squares.data());
            CHECK(dots == expected_dots);
        }
    });
}

CONSE_TEST(factors, "dense.invert_lengths and scale leave out what float32 cannot hold") {
    testing::for_each_target([] {
        const double bad = std::numeric_limits<double>::quiet_NaN();
        const std::vector<double> usual{1, 4, 1e-59, 1e59, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
        std::vector<double> some = usual;
        for (const double value : {0.0, bad, static_cast<double>(INFINITY), 1e-61, 1e61}) some.push_back(value);
        some.resize(32, 1);
        std::vector<float> found(32), scores(32);
        CHECK(kernels().invert_lengths(usual.data(), 16, found.data()));
        CHECK(!kernels().invert_lengths(some.data(), 32, found.data()));
        for (std::size_t i = 0; i < 32; ++i) {
            const bool left_out = i >= 16 && i < 21;
            CHECK(left_out ? std::isnan(found[i]) : found[i] == static_cast<float>(1 / std::sqrt(some[i])));
        }
        std::uint16_t masks[2];
        const std::vector<float> dots(32, -1);
        kernels().scale(dots.data(), found.data(), 32, -0.5f, scores.data(), masks);
        for (std::size_t i = 0; i < 32; ++i) {
            CHECK((masks[i / 16] >> i % 16 & 1) == (-found[i] >= -0.5f));
            CHECK(std::isnan(found[i]) || scores[i] == -found[i]);
        }
    });
}

CONSE_TEST(given_lengths, "dense.invert_given divides by what is given and says where a label needs another look") {
    testing::for_each_target([] {
        for (const std::size_t count : {1, 15, 16, 17, 33}) {
            std::vector<double> given(count), squares((count + 15) / 16 * 16, -1);
            for (std::size_t i = 0; i < count; ++i) given[i] = squares[i] = 0.1 + static_cast<double>(i * i);
            std::vector<float> found(squares.size());
            const auto inverted = [&] {
                const auto exactly_given = testing::exactly(given);
                return kernels().invert_given(exactly_given.get(), squares.data(), count, found.data());
            };
            CHECK(inverted());
            for (std::size_t i = 0; i < count; ++i) CHECK(found[i] == static_cast<float>(1 / given[i]));
            const double bad = std::numeric_limits<double>::quiet_NaN();
            for (const double value : {0.0, bad, static_cast<double>(INFINITY), 1e-16, 1e16}) {
                for (std::vector<double>* changed : {&given, &squares}) {
                    const double before = std::exchange((*changed)[count - 1], value);
                    CHECK(!inverted());
                    (*changed)[count - 1] = before;
                }
            }
        }
    });
}

CONSE_TEST(same_bits, "dense.all targets with FMA give the same bits") {
    for (const std::size_t dimension : kDimensions) {
        const auto labels = testing::random_floats(33 * dimension, 12),
                   queries = testing::random_floats(9 * dimension, 13);
        const std::vector<float> floors(9, 0);
        std::vector<float> first;
        std::vector<double> first_squares;
        testing::for_each_target([&] {
            if (!kernels().fused) return;
            const Packed packed(rows_of(labels.data(), 33, dimension));
            std::vector<std::uint16_t> masks;
            const auto scores = scores_of({queries.data(), dimension, 9, floors.data()}, packed.view(), masks);
            if (first.empty()) first = scores, first_squares = packed.squares;
            CHECK(scores == first);
            CHECK(packed.squares == first_squares);
        });
    }
}

}  // namespace
}  // namespace conse
