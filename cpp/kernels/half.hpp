// IEEE 754 binary16 to binary32, exactly, for targets without an instruction for it.
#pragma once

#include <cstdint>

namespace conse {

static inline float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7fffu;
    std::uint32_t bits;
    if (magnitude >= 0x7c00u) {  // infinity or NaN
        bits = sign | 0x7f800000u | (magnitude & 0x3ffu) << 13;
    } else if (magnitude >= 0x0400u) {  // normal: exponent bias 15 becomes 127
        bits = sign | ((magnitude << 13) + (112u << 23));
    } else {  // zero or subnormal: magnitude * 2^-24 is exact in float32
        const float value = static_cast<float>(magnitude) * 0x1p-24f;
        __builtin_memcpy(&bits, &value, sizeof bits);
        bits |= sign;
    }
    float result;
    __builtin_memcpy(&result, &bits, sizeof result);
    return result;
}

}  // namespace conse
