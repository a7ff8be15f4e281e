#include "core/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "conse/error.hpp"
#include "core/message.hpp"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "index files are little-endian and mapped as they are"
#endif

namespace conse {
namespace {

constexpr std::size_t kLengthSize = 8;             // of the header's length, with which a file begins
constexpr std::size_t kLargestHeader = 16u << 20;  // ours are a few KB; the format's own cap is 100 MB
constexpr std::size_t kDataAlignment = 4096, kTensorAlignment = 64;

std::size_t element_size(std::string_view dtype) {
    if (dtype == "U8" || dtype == "I8" || dtype == "BOOL") return 1;
    if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
    if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
    if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
    return 0;
}

// A cursor over the header's JSON: objects, arrays of non-negative integers, and strings.
class HeaderReader {
  public:
    HeaderReader(const char* bytes, std::size_t size, const std::string& name)
        : begin_(bytes), p_(bytes), end_(bytes + size), name_(name) {}

    template <class... Parts>
    [[noreturn]] void fail(const Parts&... parts) const {
        refuse(concat(parts...));
    }
    [[noreturn]] void refuse(const std::string& what) const {
        throw FormatError(concat("'", name_, "' is not a whole safetensors file: ", what));
    }

    std::size_t position() const { return static_cast<std::size_t>(p_ - begin_); }

    bool skip_if(char c) {
        skip_space();
        if (p_ == end_ || *p_ != c) return false;
        ++p_;
        return true;
    }

    void expect(char c) {
        if (!skip_if(c)) fail("expected '", c, "' at byte ", position(), " of the header");
    }

    std::string string() {
        expect('"');
        std::string text;
        for (; p_ != end_ && *p_ != '"'; ++p_) {
            if (*p_ < 0x20 || *p_ > 0x7e)
                fail("a character outside printable ASCII at byte ", position(), " of the header");
            text += *p_ == '\\' ? escaped() : *p_;
        }
        expect('"');
        return text;
    }

    std::uint64_t number() {
        skip_space();
        const char* first = p_;
        std::uint64_t value = 0;
        for (; p_ != end_ && *p_ >= '0' && *p_ <= '9'; ++p_) {
            const auto digit = static_cast<std::uint64_t>(*p_ - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10)
                fail("a number in the header overflows");
            value = value * 10 + digit;
        }
        if (p_ == first) fail("expected a number at byte ", position(), " of the header");
        return value;
    }

    std::vector<std::uint64_t> numbers() {
        std::vector<std::uint64_t> values;
        expect('[');
        if (skip_if(']')) return values;
        do {
            values.push_back(number());
        } while (skip_if(','));
        expect(']');
        return values;
    }

    // Calls member(key) for each member of an object; it must read the value.
    template <class Member>
    void object(const Member& member) {
        expect('{');
        if (skip_if('}')) return;
        do {
            const std::string key = string();
            expect(':');
            member(key);
        } while (skip_if(','));
        expect('}');
    }

    void expect_end() {
        skip_space();
        if (p_ != end_) fail("unexpected text at byte ", position(), " of the header");
    }

  private:
    void skip_space() {
        while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\t' || *p_ == '\r')) ++p_;
    }

    char escaped() {
        static constexpr char kCodes[] = "\"\\/bfnrt", kMeanings[] = "\"\\/\b\f\n\r\t";
        ++p_;
        const char* code = p_ == end_ || *p_ == '\0' ? nullptr : std::strchr(kCodes, *p_);
        if (code == nullptr) fail("unsupported escape at byte ", position(), " of the header");
        return kMeanings[code - kCodes];
    }

    const char* begin_;
    const char* p_;
    const char* end_;
    const std::string& name_;
};

Tensor read_tensor(HeaderReader& reader, const std::string& key) {
    Tensor tensor;
    std::vector<std::uint64_t> offsets;
    std::string members;
    reader.object([&](const std::string& member) {
        if (member == "dtype") {
            tensor.dtype = reader.string();
        } else if (member == "shape") {
            tensor.shape = reader.numbers();
        } else if (member == "data_offsets") {
            offsets = reader.numbers();
        } else {
            reader.fail("tensor '", key, "' has an unknown member '", member, "'");
        }
        members += member + ";";
    });
    if (std::count(members.begin(), members.end(), ';') != 3 || offsets.size() != 2 || tensor.dtype.empty()) {
        reader.fail("tensor '", key, "' needs one dtype, one shape and two data_offsets");
    }
    std::uint64_t size = element_size(tensor.dtype);
    if (size == 0) reader.fail("tensor '", key, "' has the unknown dtype '", tensor.dtype, "'");
    for (const std::uint64_t length : tensor.shape) {
        if (length != 0 && size > std::numeric_limits<std::uint64_t>::max() / length) {
            reader.fail("the shape of tensor '", key, "' overflows");
        }
        size *= length;
    }
    if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != size) {
        reader.fail("tensor '", key, "' needs ", size, " bytes but its offsets are ", offsets[0], " to ", offsets[1]);
    }
    tensor.offset = offsets[0];
    tensor.size = size;
    return tensor;
}

void read_metadata(HeaderReader& reader, Safetensors& file) {
    reader.object([&](const std::string& key) {
        std::string value = reader.string();
        // Where the text begins, so that it can be patched in place; right for values without escapes.
        file.metadata_offsets[key] = kLengthSize + reader.position() - 1 - value.size();
        if (!file.metadata.emplace(key, std::move(value)).second) reader.fail("metadata '", key, "' comes twice");
    });
}

// Tensors must fill the data without hole or overlap.
void check_offsets(const HeaderReader& reader, const Safetensors& file, std::size_t data_size) {
    std::vector<const Tensor*> tensors;
    for (const auto& [name, tensor] : file.tensors) tensors.push_back(&tensor);
    std::sort(tensors.begin(), tensors.end(), [](const Tensor* a, const Tensor* b) {
        return a->offset < b->offset || (a->offset == b->offset && a->size < b->size);
    });
    std::size_t at = 0;
    for (const Tensor* tensor : tensors) {
        if (tensor->offset != at)
            reader.fail("hole or overlap between tensors at data byte ", std::min(at, tensor->offset));
        if (tensor->size > data_size - at)
            reader.fail("tensors end at data byte ", at + tensor->size, " but the file holds ", data_size);
        at += tensor->size;
    }
    if (at != data_size) reader.fail("tensors end at data byte ", at, " but the file holds ", data_size);
}

}  // namespace

Safetensors read_safetensors(const char* bytes, std::size_t size, const std::string& name) {
    std::uint64_t header_size = 0;
    if (size >= kLengthSize) std::memcpy(&header_size, bytes, kLengthSize);
    const std::size_t length_size = std::min(size, kLengthSize);
    HeaderReader reader(bytes + length_size, std::min<std::size_t>(header_size, size - length_size), name);
    if (size < kLengthSize) reader.fail("it has ", size, " bytes");
    if (header_size > kLargestHeader)
        reader.fail("its header would have ", header_size, " bytes; at most ", kLargestHeader, " are allowed");
    if (header_size > size - kLengthSize)
        reader.fail("its header would have ", header_size, " bytes but the file has ", size);

    Safetensors file;
    reader.object([&](const std::string& key) {
        if (key == "__metadata__") {
            read_metadata(reader, file);
        } else if (!file.tensors.emplace(key, read_tensor(reader, key)).second) {
            reader.fail("tensor '", key, "' comes twice");
        }
    });
    reader.expect_end();
    const std::size_t data_begin = kLengthSize + static_cast<std::size_t>(header_size);
    check_offsets(reader, file, size - data_begin);
    for (auto& [key, tensor] : file.tensors) {
        tensor.offset += data_begin;
        if (tensor.offset % element_size(tensor.dtype) != 0)
            reader.fail("tensor '", key, "' is not aligned to its elements");
    }
    return file;
}

void SafetensorsPlan::add_metadata(const std::string& key, const std::string& value) {
    metadata_ += concat(metadata_.empty() ? "" : ",", "\"", key, "\":\"", value, "\"");
}

void SafetensorsPlan::append(const std::string& name, const std::string& dtype, const std::vector<std::uint64_t>& shape,
                             std::size_t size) {
    tensors_ += concat(",\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":[");
    for (std::size_t i = 0; i < shape.size(); ++i) tensors_ += concat(i ? "," : "", shape[i]);
    tensors_ += concat("],\"data_offsets\":[", data_size_, ",", data_size_ + size, "]}");
    data_size_ += size;
}

void SafetensorsPlan::add_tensor(const std::string& name, const std::string& dtype, std::vector<std::uint64_t> shape) {
    std::size_t size = element_size(dtype);
    for (const std::uint64_t length : shape) size *= length;
    append(name, dtype, shape, size);
    const std::size_t pad = (kTensorAlignment - data_size_ % kTensorAlignment) % kTensorAlignment;
    if (pad > 0) append(concat("pad.", n_pads_++), "U8", {pad}, pad);
}

std::string SafetensorsPlan::header() const {
    std::string json = concat("{\"__metadata__\":{", metadata_, "}", tensors_, "}");
    const std::size_t end = kLengthSize + json.size();
    json.append((kDataAlignment - end % kDataAlignment) % kDataAlignment, ' ');
    const std::uint64_t length = json.size();
    std::string header(kLengthSize, '\0');
    std::memcpy(header.data(), &length, kLengthSize);
    return header + json;
}

}  // namespace conse
