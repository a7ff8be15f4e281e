#include "core/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "conse/target.hpp"
#include "core/message.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace conse {

// CMake defines CONSE_HAVE_<TARGET> for every kernel object it could compile.
extern const KernelTable kernels_generic;
#ifdef CONSE_HAVE_x86_64_v2
extern const KernelTable kernels_x86_64_v2;
#endif
#ifdef CONSE_HAVE_x86_64_v3
extern const KernelTable kernels_x86_64_v3;
#endif
#ifdef CONSE_HAVE_x86_64_v4
extern const KernelTable kernels_x86_64_v4;
#endif
#ifdef CONSE_HAVE_armv8_a
extern const KernelTable kernels_armv8_a;
#endif

namespace {

#if defined(__x86_64__)
// Single features: clang 14 does not know __builtin_cpu_supports("x86-64-v3"), GCC 10 does not know "f16c".
bool has_v2() {
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
}

bool has_v3() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
    return f16c && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

bool has_v4() {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

std::vector<const KernelTable*> find_supported() {
    std::vector<const KernelTable*> tables;
#ifdef CONSE_HAVE_x86_64_v4
    if (has_v4()) tables.push_back(&kernels_x86_64_v4);
#endif
#ifdef CONSE_HAVE_x86_64_v3
    if (has_v3()) tables.push_back(&kernels_x86_64_v3);
#endif
#ifdef CONSE_HAVE_x86_64_v2
    if (has_v2()) tables.push_back(&kernels_x86_64_v2);
#endif
#ifdef CONSE_HAVE_armv8_a
    tables.push_back(&kernels_armv8_a);
#endif
    tables.push_back(&kernels_generic);
    return tables;
}

const std::vector<const KernelTable*>& supported_tables() {
    static const std::vector<const KernelTable*> tables = find_supported();
    return tables;
}

const KernelTable& named_by_environment() {
    const auto& tables = supported_tables();
    const char* wanted = std::getenv("CONSE_FAST_TARGET");
    if (wanted == nullptr || *wanted == '\0') return *tables.front();
    for (const KernelTable* table : tables) {
        if (std::string(wanted) == table->target) return *table;
    }
    std::string valid;
    for (const KernelTable* table : tables) valid += std::string(valid.empty() ? "" : ", ") + table->target;
    invalid_argument("CONSE_FAST_TARGET is '", wanted, "', which this build or this CPU does not support; ",
                     "valid here: ", valid, "; unset it to let the CPU decide");
}

std::atomic<const KernelTable*> chosen{nullptr};

}  // namespace

void choose_target() {
    chosen = &named_by_environment();
}

const KernelTable& kernels() {
    if (chosen == nullptr) choose_target();
    return *chosen;
}

std::vector<std::string> supported_targets() {
    std::vector<std::string> names;
    for (const KernelTable* table : supported_tables()) names.emplace_back(table->target);
    return names;
}

std::string current_target() {
    return kernels().target;
}

}  // namespace conse
