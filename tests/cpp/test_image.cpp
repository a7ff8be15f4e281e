#include "core/image.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "check.hpp"
#include "conse/error.hpp"

namespace conse {
namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = (fs::temp_directory_path() / "conse-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TemporaryFolder() { fs::remove_all(path_); }
    std::string operator/(const char* name) const { return (path_ / name).string(); }
    std::ptrdiff_t n_files() const { return std::distance(fs::directory_iterator(path_), fs::directory_iterator()); }

  private:
    fs::path path_;
};

CONSE_TEST(commit, "image.a committed file has the bytes, an abandoned one leaves nothing") {
    const TemporaryFolder folder;
    {
        FileWriter abandoned(folder / "a", 100);
        CHECK(folder.n_files() == 1);
    }
    CHECK(folder.n_files() == 0);
    {
        FileWriter writer(folder / "a", 5);
        std::memcpy(writer.image()->data(), "12345", 5);
        writer.commit();
    }
    CHECK(folder.n_files() == 1);
    const auto image = Image::map(folder / "a");
    CHECK(std::string(image->data(), image->size()) == "12345");
    CHECK(image->path() == folder / "a");
}

CONSE_TEST(links, "image.a link is followed and a device is not replaced") {
    const TemporaryFolder folder;
    fs::create_symlink("target", folder / "link");
    std::fclose(std::fopen((folder / "target").c_str(), "w"));
    FileWriter writer(folder / "link", 5);
    writer.commit();
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(fs::file_size(folder / "target") == 5);
    CHECK_THROWS(FileWriter("/dev/null", 5), SystemError, "no regular file");
}

CONSE_TEST(refusals, "image.missing, empty and special files are errors of their own") {
    const TemporaryFolder folder;
    int code = 0;
    try {
        Image::map(folder / "missing");
    } catch (const SystemError& error) {
        code = error.code;
    }
    CHECK(code == ENOENT);
    CHECK_THROWS(Image::map(folder / "."), SystemError, "directory");
    CHECK_THROWS(Image::map("/dev/null"), FormatError, "not a regular file");
    std::fclose(std::fopen((folder / "empty").c_str(), "w"));
    CHECK_THROWS(Image::map(folder / "empty"), FormatError, "is empty");
    CHECK_THROWS(FileWriter(folder / "no/such/folder", 10), SystemError, "cannot write");
    CHECK_THROWS(FileWriter(folder / ".", 10), SystemError, "directory");
    CHECK(folder.n_files() == 1);
}

}  // namespace
}  // namespace conse
