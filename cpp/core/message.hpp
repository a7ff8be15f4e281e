// Messages put together from parts.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace conse {

namespace detail {

/// A part of a message. Its type is forgotten at once, so that one function writes all messages: a template for each
/// list of types made up a tenth of the program.
class Part {
  public:
    Part(const char* text) : kind_(Kind::text), text_(text) {}
    Part(const std::string& text) : kind_(Kind::text), text_(text) {}
    Part(std::string_view text) : kind_(Kind::text), text_(text) {}
    Part(char letter) : kind_(Kind::letter), whole_(letter) {}
    Part(double number) : kind_(Kind::real), real_(number) {}
    template <class Integer, class = std::enable_if_t<std::is_integral_v<Integer>>>
    Part(Integer number)
        : kind_(std::is_signed_v<Integer> ? Kind::whole : Kind::count), whole_(static_cast<std::int64_t>(number)) {}

    void append_to(std::string& message) const;

  private:
    enum class Kind { text, letter, real, whole, count };

    Kind kind_;
    std::string_view text_;
    double real_ = 0;
    std::int64_t whole_ = 0;
};

std::string concat(std::initializer_list<Part> parts);
[[noreturn]] void invalid_argument(std::initializer_list<Part> parts);

}  // namespace detail

template <class... Parts>
std::string concat(const Parts&... parts) {
    return detail::concat({detail::Part(parts)...});
}

template <class... Parts>
[[noreturn]] void invalid_argument(const Parts&... parts) {
    detail::invalid_argument({detail::Part(parts)...});
}

/// A value that has no place where it stands, in words: "NaN", "inf", "-inf", or the number.
std::string word_for(double value);

}  // namespace conse
