#include "conse/limits.hpp"

#include <cmath>

#include "check.hpp"
#include "targets.hpp"

namespace conse {
namespace {

bool is_plausible(double per_second) {
    return std::isfinite(per_second) && per_second > 1e5;
}

CONSE_TEST(plausible, "limits.are positive on every target and name it") {
    testing::for_each_target([] {
        const Limits limits = measure_limits(1, {1, {}});
        CHECK(limits.target == current_target());
        CHECK(limits.n_threads == 1);
        CHECK(is_plausible(limits.read_once_bytes_per_second));
        CHECK(is_plausible(limits.multiply_adds_per_second));
        CHECK(limits.bandwidth_bytes_per_second >= limits.read_once_bytes_per_second);
    });
}

CONSE_TEST(threads, "limits.are measured on the threads that they tell") {
    CHECK(measure_limits(1, {2, {}}).n_threads <= 2);
    const int n_threads = measure_limits(2).n_threads;
    CHECK(n_threads >= 1 && n_threads <= max_threads());
}

CONSE_TEST(stopped, "limits.a checkpoint hears of ascending shares and can stop the measurement") {
    std::vector<double> shares;
    measure_limits(20, {1, [&](double share) { shares.push_back(share); }});
    CHECK(shares.size() > 3);
    for (std::size_t i = 1; i < shares.size(); ++i) CHECK(shares[i] >= shares[i - 1] && shares[i] < 1);
    const Execution stopping{1, [](double) { throw std::runtime_error("stopped"); }};
    CHECK_THROWS(measure_limits(20, stopping), std::runtime_error, "stopped");
}

CONSE_TEST(size, "limits.a buffer of nothing or of a machine's whole memory is refused") {
    for (const std::size_t megabytes : {std::size_t{0}, std::size_t{16'385}, ~std::size_t{0}}) {
        CHECK_THROWS(measure_limits(megabytes), std::invalid_argument, "megabytes must be between 1 and 16384, got");
    }
}

}  // namespace
}  // namespace conse
