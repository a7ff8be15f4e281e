#include "core/message.hpp"

#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace conse {
namespace detail {

void Part::append_to(std::string& message) const {
    char digits[32];
    switch (kind_) {
        case Kind::text:
            message += text_;
            break;
        case Kind::letter:
            message += static_cast<char>(whole_);
            break;
        case Kind::real:
            std::snprintf(digits, sizeof digits, "%g", real_);
            message += digits;
            break;
        case Kind::whole:
            message += std::to_string(whole_);
            break;
        case Kind::count:
            message += std::to_string(static_cast<std::uint64_t>(whole_));
            break;
    }
}

std::string concat(std::initializer_list<Part> parts) {
    std::string message;
    for (const Part& part : parts) part.append_to(message);
    return message;
}

void invalid_argument(std::initializer_list<Part> parts) {
    throw std::invalid_argument(concat(parts));
}

}  // namespace detail

std::string word_for(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return concat(value);
}

}  // namespace conse
