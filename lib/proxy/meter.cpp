#include "proxy/meter.hpp"

#include <algorithm>
#include <array>

#include <zlib.h>

#include "http/text.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t kErrorBytes = 64 * 1024;
// Past it a decoded copy is not read on: no real answer is that long, a bomb is.
constexpr std::uint64_t kMaxDecodedBytes = std::uint64_t{1} << 30;

}  // namespace

class Inflater {
 public:
  Inflater() { ready_ = ::inflateInit2(&stream_, 15 + 32) == Z_OK; }  // gzip or zlib, by its header
  ~Inflater() { ::inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Calls `take` with what comes out; false if it cannot be read on.
  template <class Take>
  bool feed(std::string_view bytes, const Take& take) {
    if (!ready_) return false;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, 16 * 1024> out;
    while (true) {
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = out.size();
      const int result = ::inflate(&stream_, Z_SYNC_FLUSH);
      const std::size_t size = out.size() - stream_.avail_out;
      take({out.data(), size});
      total_ += size;
      if (total_ > kMaxDecodedBytes) return false;
      if (result == Z_STREAM_END) {
        if (stream_.avail_in == 0) return true;
        if (::inflateReset(&stream_) != Z_OK) return false;  // another member follows
        continue;
      }
      if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_in == 0 && stream_.avail_out > 0))
        return true;
      if (result != Z_OK) return false;
    }
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  std::uint64_t total_ = 0;
};

Meter::Meter(int status, std::string_view encoding, std::string_view retry_after, std::size_t max_bytes)
    : status_(status), retry_after_(retry_after), usage_(max_bytes) {
  if (encoding.empty() || http::equal_ignoring_case(encoding, "identity")) return;
  if (http::equal_ignoring_case(encoding, "gzip") || http::equal_ignoring_case(encoding, "x-gzip") ||
      http::equal_ignoring_case(encoding, "deflate")) {
    inflater_ = std::make_unique<Inflater>();
  } else {
    readable_ = false;
  }
}

Meter::~Meter() = default;

void Meter::feed(std::string_view bytes) {
  if (!readable_) return;
  if (inflater_ == nullptr) return take(bytes);
  readable_ = inflater_->feed(bytes, [this](std::string_view decoded) { take(decoded); });
}

void Meter::take(std::string_view decoded) {
  if (status_ < 400) return usage_.feed(decoded);
  error_body_.append(decoded.substr(0, kErrorBytes - std::min(kErrorBytes, error_body_.size())));
}

void Meter::finish() {
  usage_.finish();
}

std::optional<provider::UpstreamError> Meter::error() const {
  if (status_ >= 400) return provider::error_of(status_, error_body_, retry_after_);
  if (!usage_.error().empty()) return provider::error_of(0, usage_.error(), retry_after_);
  return std::nullopt;
}

}  // namespace weir::proxy
