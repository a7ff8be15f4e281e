#include "core/image.hpp"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conse/error.hpp"
#include "core/message.hpp"

namespace conse {
namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int code = errno) {
    throw SystemError(code, path, concat("cannot ", what, " '", path, "': ", std::strerror(code)));
}

// The system would end the path there.
void require_no_null(const std::string& path) {
    if (path.find('\0') != std::string::npos)
        invalid_argument("a path holds a null character: '", path.c_str(), "...'");
}

class Descriptor {
  public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    int get() const { return value_; }
    int release() {
        const int value = value_;
        value_ = -1;
        return value;
    }

  private:
    int value_;
};

void* map_bytes(std::size_t size, int protection, int flags, int descriptor, const char* what,
                const std::string& path) {
    void* address = ::mmap(nullptr, size, protection, flags, descriptor, 0);
    if (address == MAP_FAILED) fail(what, path);
    return address;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

// Where symbolic links lead, so that the file behind them is replaced (or made) and not the link.
std::string behind_links(const std::string& path) {
    namespace fs = std::filesystem;
    fs::path at = path;
    std::error_code failed;
    for (int i = 0; i < 40 && fs::is_symlink(at, failed); ++i) at = at.parent_path() / fs::read_symlink(at, failed);
    return at.string();
}

// Creates a file beside `path`, and its name in `aside`; -1 with errno when that cannot be. Not the name with a suffix:
// that could be longer than a name may be. A name that is taken was left by a process that was killed.
int open_aside(const std::string& path, std::string& aside) {
    static std::atomic<unsigned> counter{0};
    int descriptor = -1;
    do {
        aside = concat(folder_of(path), "/.conse_fast-", ::getpid(), "-", counter++, ".tmp");
        descriptor = ::open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor < 0 && errno == EEXIST);
    return descriptor;
}

}  // namespace

Image::~Image() {
    ::munmap(data_, size_);
}

std::shared_ptr<const Image> Image::map(const std::string& path) {
    require_no_null(path);
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) fail("open", path);
    struct stat status;
    if (::fstat(file.get(), &status) != 0) fail("read", path);
    if (S_ISDIR(status.st_mode)) fail("open", path, EISDIR);
    if (!S_ISREG(status.st_mode)) throw FormatError(concat("'", path, "' is not a regular file"));
    if (status.st_size == 0) throw FormatError(concat("'", path, "' is empty; expected an index"));
    const auto size = static_cast<std::size_t>(status.st_size);
    void* address = map_bytes(size, PROT_READ, MAP_SHARED, file.get(), "map", path);
    return std::shared_ptr<const Image>(new Image(static_cast<char*>(address), size, path));
}

std::shared_ptr<Image> Image::allocate(std::size_t size) {
    const int protection = PROT_READ | PROT_WRITE;
    void* address = ::mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    // A block of the table has a line for each class, all in different pages. In large ones, if the system has any
    // left, a query takes 0.93 to 0.96 of the time (300 dimensions) and 0.95 to 1.0 (50).
    ::madvise(address, size, MADV_HUGEPAGE);
#endif
    return std::shared_ptr<Image>(new Image(static_cast<char*>(address), size, ""));
}

FileWriter::FileWriter(const std::string& path, std::size_t size) : path_(behind_links(path)) {
    require_no_null(path);
    struct stat status;
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) fail("write", path, EISDIR);
        if (!S_ISREG(status.st_mode)) fail("replace (it is no regular file)", path, EINVAL);
    }
    Descriptor file(open_aside(path_, aside_));
    if (file.get() < 0) fail("write", path);
    try {
        // Reserving now turns a full disk into an error here; a hole in a mapped file would be a SIGBUS
        // later.
        const int code = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
        if (code != 0) fail("reserve space for", path, code);
        void* address = map_bytes(size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), "map", path);
        image_ = std::shared_ptr<Image>(new Image(static_cast<char*>(address), size, path));
    } catch (...) {
        ::unlink(aside_.c_str());
        throw;
    }
    descriptor_ = file.release();
}

FileWriter::~FileWriter() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(aside_.c_str());
}

void FileWriter::commit() {
    if (::msync(image_->data(), image_->size(), MS_SYNC) != 0 || ::fsync(descriptor_) != 0) fail("write", path_);
    if (::rename(aside_.c_str(), path_.c_str()) != 0) fail("write", path_);
    ::close(descriptor_);
    descriptor_ = -1;
    const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());  // makes the new name durable; not every file system can
}

}  // namespace conse
