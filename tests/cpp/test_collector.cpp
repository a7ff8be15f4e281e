#include "core/collector.hpp"

#include <cmath>
#include <limits>
#include <map>

#include "check.hpp"
#include "core/dispatch.hpp"
#include "core/few_best.hpp"
#include "core/tournament.hpp"
#include "targets.hpp"

namespace conse {
namespace {

std::vector<Entry<float>> collected(const std::vector<Entry<float>>& entries, std::size_t k, bool repeated_ids) {
    Collector<float> collector;
    collector.reset(k, repeated_ids);
    for (const auto& entry : entries) {
        if (!(entry.value < collector.floor())) collector.push(entry.value, entry.id);
        collector.settle_when_due();
    }
    return collector.finish();
}

// Sorting everything: the plain way.
std::vector<Entry<float>> sorted(std::vector<Entry<float>> entries, std::size_t k, bool repeated_ids) {
    if (repeated_ids) {
        std::map<std::int32_t, float> best;
        for (const auto& entry : entries) {
            const auto found = best.emplace(entry.id, entry.value).first;
            found->second = std::max(found->second, entry.value);
        }
        entries.clear();
        for (const auto& [id, value] : best) entries.push_back({value, id});
    }
    std::sort(entries.begin(), entries.end(), ranks_before<float>);
    entries.resize(std::min(k, entries.size()));
    return entries;
}

bool same(const std::vector<Entry<float>>& a, const std::vector<Entry<float>>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& x, const auto& y) { return x.value == y.value && x.id == y.id; });
}

CONSE_TEST(random_entries, "collector.keeps what sorting would keep, ties and repeated ids included") {
    std::mt19937 generator(1);
    for (const std::size_t count : {0, 1, 5, 40, 1000}) {
        for (const std::size_t k : {1, 2, 10, 37, 1000, 2000}) {
            for (const bool repeated : {false, true}) {
                std::vector<Entry<float>> entries(count);
                for (std::size_t i = 0; i < count; ++i) {
                    const auto id = static_cast<std::int32_t>(repeated ? generator() % 50 : i);
                    entries[i] = {static_cast<float>(static_cast<int>(generator() % 20) - 10), id};
                }
                std::shuffle(entries.begin(), entries.end(), generator);
                CHECK(same(collected(entries, k, repeated), sorted(entries, k, repeated)));
            }
        }
    }
}

CONSE_TEST(spread_entries, "collector.however values are spread: evenly, in one place, over all of float32, infinite") {
    std::mt19937 generator(2);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int kind = 0; kind < 5; ++kind) {
        for (const std::size_t count : {33, 100, 5000}) {
            std::vector<Entry<float>> entries(count);
            for (std::size_t i = 0; i < count; ++i) {
                const float x = uniform(generator);
                const float values[] = {x, std::ldexp(x, static_cast<int>(generator() % 250) - 125),
                                        i == 7 ? 1e30f : 0.5f + 1e-6f * x, 0.25f,
                                        i % 50 == 7 ? std::copysign(std::numeric_limits<float>::infinity(), x) : x};
                entries[i] = {values[kind], static_cast<std::int32_t>(i)};
            }
            std::shuffle(entries.begin(), entries.end(), generator);
            for (const std::size_t k : {33, 99, 1000, 6000}) {
                CHECK(same(collected(entries, k, false), sorted(entries, k, false)));
            }
        }
    }
}

CONSE_TEST(floor_of_labels, "collector.floor is that of the k-th distinct id") {
    Collector<float> collector;
    collector.reset(2, true);
    for (int i = 0; i < 100; ++i) {
        collector.push(1.0f - 0.001f * static_cast<float>(i), 7);
        collector.settle_when_due();
    }
    CHECK(!collector.full());
    collector.push(0.25f, 3);
    CHECK(collector.finish().size() == 2);
    CHECK(collector.floor() == 0.25f);
}

CONSE_TEST(few, "collector.few are kept as sorting would, sixteen at a time: ties, both zeros, ids out of range") {
    constexpr float kValues[] = {0.0f, -0.0f, 1, 1, -1, 1e-45f, -1e-45f, 3e38f, -3e38f, INFINITY, -INFINITY, 0.5f};
    testing::for_each_target([&] {
        std::mt19937 generator(3);
        for (int round = 0; round < 300; ++round) {
            const std::size_t k = 1 + generator() % FewBest::kMost, n_taken = generator() % 6;
            const std::uint32_t n_ids = round % 2 == 0 ? 0x80000000u : 70;
            FewBest few;
            few.reset(k);
            std::vector<Entry<float>> entries, found;
            for (std::size_t taken = 0; taken < n_taken; ++taken) {
                float values[kFewBest];
                std::int32_t ids[kFewBest];
                const auto mask = static_cast<std::uint32_t>(generator() & 0xffff);
                for (std::size_t i = 0; i < kFewBest; ++i) {
                    values[i] = kValues[generator() % 12];
                    ids[i] = static_cast<std::int32_t>((generator() % 7 == 0 ? 0x7fffffffu : 16 * taken + i) ^ 5u);
                    if (generator() % 9 == 0) ids[i] = -1;
                    const bool counts = (mask >> i & 1) != 0 && static_cast<std::uint32_t>(ids[i]) < n_ids;
                    if (counts) entries.push_back({values[i] + 0.0f, ids[i]});
                }
                few.take(kernels(), values, ids, mask, n_ids);
            }
            few.write_to(found);
            CHECK(same(found, sorted(entries, k, false)));
            CHECK(few.full() == (found.size() == k));
            CHECK(few.floor() == (few.full() ? found.back().value : -INFINITY));
        }
    });
}

CONSE_TEST(tournament, "collector.a tournament knows the first of the best, however many grow and change") {
    testing::for_each_target([] {
        std::mt19937 generator(4);
        Tournament tournament;
        for (const std::size_t most : {1, 32, 33, 64, 1024, 1025, 2100}) {
            tournament.clear();
            std::vector<float> values;
            while (values.size() < most) {
                values.push_back(static_cast<float>(generator() % 1000));
                tournament.add(kernels(), values.back());
                const std::size_t changed = generator() % values.size();
                values[changed] = static_cast<float>(generator() % 1000);
                tournament.set(kernels(), changed, values[changed]);
                float best;
                const auto first = std::max_element(values.begin(), values.end());
                CHECK(tournament.best(kernels(), &best) == static_cast<std::size_t>(first - values.begin()));
                CHECK(best == *first);
            }
        }
    });
}

}  // namespace
}  // namespace conse
