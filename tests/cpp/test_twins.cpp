#include "check.hpp"
#include "core/twins.hpp"

namespace conse {
namespace {

// A row of three numbers for each label, or none where it is negative.
std::vector<std::int32_t> twins_of(const std::vector<int>& labels) {
    std::vector<float> data;
    std::vector<std::uint32_t> row_of;
    for (const int x : labels) {
        row_of.push_back(x < 0 ? kNoRow : static_cast<std::uint32_t>(data.size() / 3));
        if (x < 0) continue;
        for (const float scale : {1.0f, -2.0f, 0.5f}) data.push_back(scale * static_cast<float>(x));
    }
    return next_twins(data.data(), 3, row_of);
}

CONSE_TEST(chains, "twins.each label leads to the next one with the same row") {
    CHECK(twins_of({5, 7, 5, -1, 7, 5, 9}) == std::vector<std::int32_t>({2, 4, 5, -1, -1, -1, -1}));
    CHECK(twins_of({1, 2, 3}).empty());
    CHECK(twins_of({}).empty());
    CHECK(twins_of({-1, -1}).empty());
    CHECK(twins_of({4, 4}) == std::vector<std::int32_t>({1, -1}));
}

CONSE_TEST(many, "twins.many rows of few kinds") {
    std::vector<int> labels(10000);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i * 7919 % 401);
    const std::vector<std::int32_t> next = twins_of(labels);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const auto expected = i + 401 < labels.size() ? static_cast<std::int32_t>(i + 401) : -1;
        CHECK(next[i] == expected);
    }
}

CONSE_TEST(order, "twins.labels in another order than their rows") {
    const std::vector<float> data{1, 2, 1, 2};
    CHECK(next_twins(data.data(), 1, {3, 2, 1, 0}) == std::vector<std::int32_t>({2, 3, -1, -1}));
}

}  // namespace
}  // namespace conse
