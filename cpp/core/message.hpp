// Messages put together from parts.
#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>

namespace conse {

template <class... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

template <class... Parts>
[[noreturn]] void invalid_argument(const Parts&... parts) {
    throw std::invalid_argument(concat(parts...));
}

/// A value that has no place where it stands, in words: "NaN", "inf", "-inf", or the number.
inline std::string word_for(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return concat(value);
}

}  // namespace conse
