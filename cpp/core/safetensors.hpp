// The safetensors container: an 8-byte header length, a JSON header, raw little-endian tensors.
//
// Reader and writer of the strict subset that the reference library accepts: string metadata, offsets that
// ascend without hole or overlap and end with the file. https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace conse {

struct Tensor {
    std::string dtype;  // "F32", "I32", "I64", "U8", ...
    std::vector<std::uint64_t> shape;
    std::size_t offset = 0;  // from the start of the file
    std::size_t size = 0;    // bytes
};

struct Safetensors {
    std::map<std::string, std::string, std::less<>> metadata;
    std::map<std::string, std::size_t, std::less<>> metadata_offsets;  // of each value's text in the file
    std::map<std::string, Tensor, std::less<>> tensors;
};

/// Reads the header and checks the structure in time independent of the tensors' size. `name` is for
/// messages. Throws FormatError.
Safetensors read_safetensors(const char* bytes, std::size_t size, const std::string& name);

/// Plans a file: tensors in the order they are added, each starting at a multiple of 64 bytes (a U8 tensor
/// `pad.N` stands where one ends elsewhere), the first one at a multiple of 4096.
class SafetensorsPlan {
  public:
    void add_metadata(const std::string& key, const std::string& value);
    void add_tensor(const std::string& name, const std::string& dtype, std::vector<std::uint64_t> shape);

    /// Header length and header.
    std::string header() const;
    std::size_t file_size() const { return header().size() + data_size_; }

  private:
    void append(const std::string& name, const std::string& dtype, const std::vector<std::uint64_t>& shape,
                std::size_t size);

    std::string metadata_, tensors_;
    std::size_t data_size_ = 0;
    int n_pads_ = 0;
};

}  // namespace conse
