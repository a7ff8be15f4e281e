#include "core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

namespace conse {
namespace {

std::size_t covered(const Work& work, const Execution& execution) {
    std::atomic<std::size_t> count{0};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) { count += end - begin; });
    return count;
}

CONSE_TEST(coverage, "parallel.covers every item once for any number of threads") {
    for (const int n_threads : {0, 1, 2, 3, 7}) {
        for (const std::size_t items : {0, 1, 2, 100, 12345}) {
            for (const double microseconds : {0.001, 1.0, 1e6})
                CHECK(covered({items, microseconds}, {n_threads, {}}) == items);
        }
    }
}

CONSE_TEST(small_work, "parallel.small work stays on the calling thread") {
    CHECK(threads_for({10, 1}, {}) == 1);
    CHECK(threads_for({1, 1e9}, {}) == 1);
    CHECK(threads_for({1000, 1000}, {3, {}}) <= 3);
}

CONSE_TEST(lowest_error, "parallel.the error of the lowest range wins") {
    for (int repetition = 0; repetition < 20; ++repetition) {
        const auto failing = [] {
            parallel_for({1000, 100}, {4, {}}, [](std::size_t begin, std::size_t end) {
                for (std::size_t i = begin; i < end; ++i) {
                    if (i >= 300 && i % 100 == 0) throw std::runtime_error("item " + std::to_string(i));
                }
            });
        };
        CHECK_THROWS(failing(), std::runtime_error, "item 300");
    }
}

// Half a millisecond for each item.
template <class Use>
void slowly(std::size_t items, const Execution& execution, const Use& use) {
    parallel_for({items, 500}, execution, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds(500));
            use();
        }
    });
}

CONSE_TEST(checkpoints, "parallel.a checkpoint reports ascending shares and can stop the work") {
    for (const int n_threads : {1, 2}) {
        std::vector<double> shares;
        std::atomic<std::size_t> count{0};
        const Execution watching{n_threads, [&](double share) { shares.push_back(share); }};
        slowly(400, watching, [&] { ++count; });
        CHECK(count == 400);
        CHECK(shares.size() > 3);
        CHECK(shares.front() > 0 && shares.front() < 0.5);
        for (std::size_t i = 1; i < shares.size(); ++i) CHECK(shares[i] > shares[i - 1] && shares[i] < 1);
        count = 0;
        const Execution stopping{n_threads, [](double) { throw std::runtime_error("stopped"); }};
        CHECK_THROWS(slowly(4000, stopping, [&] { ++count; }), std::runtime_error, "stopped");
        CHECK(count < 4000);
    }
}

CONSE_TEST(others_go_on, "parallel.other threads go on while a checkpoint takes its time") {
    if (max_threads() < 2) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(30));  // who has waited in vain works alone for 20
    std::atomic<std::size_t> count{0};
    std::size_t meanwhile = 0;
    const Execution watching{2, [&](double) {
                                 const std::size_t before = count;
                                 for (int i = 0; i < 1000 && count < before + 3; ++i) {
                                     std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                 }
                                 meanwhile = std::max(meanwhile, count - before);
                             }};
    slowly(400, watching, [&] { ++count; });
    CHECK(count == 400 && meanwhile >= 2);
}

CONSE_TEST(nested, "parallel.a checkpoint may itself start such work") {
    std::size_t n_checkpoints = 0;
    const Execution nesting{2, [&](double) {
                                CHECK(covered({1000, 1000}, {2, {}}) == 1000);
                                ++n_checkpoints;
                            }};
    slowly(100, nesting, [] {});
    CHECK(n_checkpoints > 0);
}

CONSE_TEST(fork_safety, "parallel.a forked child of a process that used threads stays serial and does not hang") {
    CHECK(covered({1000, 1000}, {2, {}}) == 1000);
    const pid_t child = fork();
    if (child == 0) _exit(covered({1000, 1000}, {2, {}}) == 1000 && max_threads() == 1 ? 0 : 1);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace conse
