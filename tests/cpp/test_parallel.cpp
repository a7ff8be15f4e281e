#include "core/parallel.hpp"

#include <atomic>

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

CONSE_TEST(checkpoints, "parallel.a checkpoint reports ascending shares and can stop the work") {
    std::vector<double> shares;
    const Execution watching{2, [&](double share) { shares.push_back(share); }};
    CHECK(covered({1000000, 1000}, watching) == 1000000);
    CHECK(shares.size() > 3);
    for (std::size_t i = 1; i < shares.size(); ++i) CHECK(shares[i] > shares[i - 1] && shares[i] < 1);
    const Execution stopping{2, [](double) { throw std::runtime_error("stopped"); }};
    CHECK_THROWS(covered({1000000, 1000}, stopping), std::runtime_error, "stopped");
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
