// Bytes of an index: in anonymous memory, or a mapped file. An index is always a view of such an image.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace conse {

class Image {
  public:
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;
    ~Image();

    /// Maps a whole file for reading; the pages are shared with every process that maps it.
    static std::shared_ptr<const Image> map(const std::string& path);
    /// Zeroed memory.
    static std::shared_ptr<Image> allocate(std::size_t size);

    const char* data() const { return data_; }
    char* data() { return data_; }
    std::size_t size() const { return size_; }
    const std::string& path() const { return path_; }  // empty for memory

  private:
    friend class FileWriter;
    Image(char* data, std::size_t size, std::string path) : data_(data), size_(size), path_(std::move(path)) {}

    char* data_;
    std::size_t size_;
    std::string path_;
};

/// A file that appears under its name only when it is complete: written aside in the same folder, flushed,
/// then renamed. Without commit() nothing is left behind.
class FileWriter {
  public:
    FileWriter(const std::string& path, std::size_t size);
    ~FileWriter();

    /// The file's bytes, zero at first. Its space is reserved: writing cannot fail.
    const std::shared_ptr<Image>& image() { return image_; }
    void commit();

  private:
    std::string path_, aside_;
    int descriptor_ = -1;
    std::shared_ptr<Image> image_;
};

}  // namespace conse
