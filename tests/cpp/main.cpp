// Runs the tests whose name begins with an argument, or all.
#include <cstdio>

#include "check.hpp"

int main(int n_arguments, char** arguments) {
    int n_passed = 0, n_failed = 0;
    for (const auto& test : conse::testing::all_tests()) {
        bool wanted = n_arguments == 1;
        for (int i = 1; i < n_arguments; ++i)
            wanted = wanted || test.name.rfind(std::string(arguments[i]) + ".", 0) == 0;
        if (!wanted) continue;
        try {
            test.run();
            ++n_passed;
        } catch (const std::exception& error) {
            std::printf("FAILED %s\n  %s\n", test.name.c_str(), error.what());
            ++n_failed;
        }
    }
    std::printf("%d passed, %d failed\n", n_passed, n_failed);
    return n_failed > 0 || n_passed == 0;
}
