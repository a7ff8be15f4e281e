#include "core/safetensors.hpp"

#include <cstring>

#include "check.hpp"
#include "conse/error.hpp"

namespace conse {
namespace {

std::string file_with(const std::string& json, std::size_t data_size) {
    std::string file(8, '\0');
    const std::uint64_t length = json.size();
    std::memcpy(file.data(), &length, 8);
    return file + json + std::string(data_size, 'x');
}

Safetensors parsed(const std::string& file) {
    return read_safetensors(file.data(), file.size(), "f");
}

CONSE_TEST(round_trip, "safetensors.a plan reads back, padded and aligned") {
    SafetensorsPlan plan;
    plan.add_metadata("key", "0000");
    plan.add_tensor("a", "F32", {3, 5});
    plan.add_tensor("empty", "U8", {0});
    plan.add_tensor("b", "I64", {8});
    std::string file = plan.header();
    CHECK(file.size() % 4096 == 0);
    file.resize(plan.file_size());
    const Safetensors read = parsed(file);
    CHECK(read.metadata.at("key") == "0000");
    CHECK(file.substr(read.metadata_offsets.at("key"), 4) == "0000");
    CHECK(read.tensors.at("a").offset == plan.header().size());
    CHECK(read.tensors.at("a").size == 60);
    CHECK(read.tensors.at("pad.0").size == 4);
    CHECK(read.tensors.at("b").offset % 64 == 0);
    CHECK((read.tensors.at("a").shape == std::vector<std::uint64_t>{3, 5}));
}

CONSE_TEST(accepted, "safetensors.white space, escapes and members in any order are accepted") {
    const auto read =
        parsed(file_with(" { \"a\\\"\" : {\"data_offsets\":[0, 4] , \"shape\":[2, 2], \"dtype\":\"U8\"} }\n ", 4));
    CHECK(read.tensors.at("a\"").size == 4);
}

CONSE_TEST(refused, "safetensors.every broken header is refused with its fact") {
    const auto refuse = [](const std::string& json, std::size_t data_size, const char* fact) {
        const std::string file = file_with(json, data_size);
        CHECK_THROWS(parsed(file), FormatError, fact);
    };
    const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
    refuse("", 0, "expected '{'");
    refuse("{" + a, 4, "expected '}'");
    refuse("{" + a + "} x", 4, "unexpected text");
    refuse("{" + a + "," + a + "}", 4, "comes twice");
    refuse("{" + a + "}", 5, "tensors end at data byte 4");
    refuse("{" + a + "}", 3, "the file holds 3");
    refuse("{" + a + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})", 6, "hole or overlap");
    refuse("{" + a + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", 4, "hole or overlap");
    refuse(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4, "its offsets are 4 to 0");
    refuse(R"({"a":{"dtype":"Q8","shape":[4],"data_offsets":[0,4]}})", 4, "unknown dtype");
    refuse(R"({"a":{"dtype":"U8","shape":[4]}})", 4, "needs one dtype");
    refuse(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", 4, "unknown member");
    refuse(R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "overflows");
    refuse(R"({"a":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]}})", 4, "overflows");
    refuse(R"({"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", 4, "expected a number");
    refuse(
        R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
        5, "not aligned");
    refuse(R"({"__metadata__":{"a":1}})", 0, "expected '\"'");
    refuse(R"({"__metadata__":{"a":"\u0041"}})", 0, "escape");
    refuse("{\"a\n\":1}", 0, "printable ASCII");
}

CONSE_TEST(lying_length, "safetensors.a header length that lies is refused before anything is read") {
    std::string file = file_with("{}", 0);
    CHECK_THROWS(read_safetensors(file.data(), 5, "f"), FormatError, "it has 5 bytes");
    for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{17} << 20, ~std::uint64_t{0}}) {
        std::memcpy(file.data(), &length, 8);
        CHECK_THROWS(parsed(file), FormatError, "its header would have");
    }
}

}  // namespace
}  // namespace conse
