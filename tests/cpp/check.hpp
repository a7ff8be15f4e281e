// The least that unit tests need: named tests that register themselves, and checks that say where they failed.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace conse::testing {

struct Test {
    std::string name;  // "suite.what it shows"
    std::function<void()> run;
};

inline std::vector<Test>& all_tests() {
    static std::vector<Test> tests;
    return tests;
}

struct Registration {
    Registration(const char* name, std::function<void()> run) { all_tests().push_back({name, std::move(run)}); }
};

[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
    std::ostringstream text;
    text << file << ":" << line << ": " << message;
    throw std::runtime_error(text.str());
}

inline std::vector<float> random_floats(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(count);
    for (float& value : values) value = normal(generator);
    return values;
}

/// An allocation of exactly this size, so that a sanitizer sees every read past its end.
template <class Element>
std::unique_ptr<Element[]> exactly(const std::vector<Element>& values) {
    std::unique_ptr<Element[]> copy(new Element[values.size()]);
    std::copy(values.begin(), values.end(), copy.get());
    return copy;
}

}  // namespace conse::testing

#define CONSE_TEST(identifier, name)                                                          \
    static void identifier();                                                                 \
    static const conse::testing::Registration registration_##identifier(name, &(identifier)); \
    static void identifier()

#define CHECK(condition) \
    if (!(condition)) conse::testing::fail(__FILE__, __LINE__, "not true: " #condition)

#define CHECK_THROWS(expression, Exception, fragment)                                                        \
    do {                                                                                                     \
        std::string message_ = "no exception";                                                               \
        try {                                                                                                \
            (void)(expression);                                                                              \
        } catch (const Exception& error_) {                                                                  \
            message_ = error_.what();                                                                        \
        }                                                                                                    \
        if (message_.find(fragment) == std::string::npos)                                                    \
            conse::testing::fail(                                                                            \
                __FILE__, __LINE__,                                                                          \
                "expected '" + std::string(fragment) + "' from " #expression " but got '" + message_ + "'"); \
    } while (false)
