#include "drain/ring.h"

#include <bpf/libbpf.h>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/limits.h"

namespace diagnose::drain {
namespace {

// What the callback returns once the turn is over.  libbpf has consumed that record and stops behind it.
constexpr int turn_is_over = -ECANCELED;

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

class LibbpfRing final : public Ring {
 public:
  explicit LibbpfRing(std::function<void(const RawRecord&)> take) : take_(std::move(take)) {}

  Status start(loop::Loop& loop, int ring_fd) {
    ring_.reset(ring_buffer__new(ring_fd, &LibbpfRing::on_sample, this, nullptr));
    if (!ring_) return refused("map it", errno);
    auto readable = loop.on_fd(ring_buffer__epoll_fd(ring_.get()), EPOLLIN, [this](std::uint32_t) { turn(); });
    if (!readable) return tl::unexpected(readable.error());
    auto rested = loop.on_timer([this] { turn(); });
    if (!rested) return tl::unexpected(rested.error());
    readable_ = std::move(*readable);
    rested_ = std::move(*rested);
    return {};
  }

  void drain() override {
    constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();
    consume(unbounded, ring__avail_data_size(ring_buffer__ring(ring_.get(), 0)));
  }

  [[nodiscard]] std::uint64_t malformed() const override { return malformed_; }

 private:
  static Status refused(const char* step, int error_number) {
    return failure({.what = std::string("open the ring buffer: ") + step,
                    .where = "",
                    .why = errno_text(error_number),
                    .mend = error_number == EPERM ? "run diagnosed with CAP_BPF" : ""});
  }

  static int on_sample(void* self, void* bytes, std::size_t size) {
    return static_cast<LibbpfRing*>(self)->sample({static_cast<const std::byte*>(bytes), size});
  }

  int sample(std::span<const std::byte> bytes) {
    RawRecord record;
    if (decode(bytes, record)) {
      take_(record);
    } else {
      ++malformed_;
    }
    constexpr std::size_t ring_header = 8;  // in front of each record (kernel: BPF_RINGBUF_HDR_SZ), rounded up to 8
    const std::size_t used = ring_header + (bytes.size() + 7) / 8 * 8;
    bytes_left_ = used < bytes_left_ ? bytes_left_ - used : 0;
    --records_left_;
    ++taken_;
    return records_left_ == 0 || bytes_left_ == 0 ? turn_is_over : 0;
  }

  // How many records were there, at most `records` or as many as lie in `bytes`.
  std::size_t consume(std::size_t records, std::size_t bytes) {
    // libbpf moves the consumer's position behind a record only after the callback: a second run would see it again.
    if (consuming_ || bytes == 0) return 0;
    consuming_ = true;
    records_left_ = records;
    bytes_left_ = bytes;
    taken_ = 0;
    // Fails only with what the callback returned: the ring is memory.
    (void)ring_buffer__consume(ring_.get());
    consuming_ = false;
    return taken_;
  }

  // A ring that had something rests, unwatched, and is looked at again; one that had nothing is watched.
  void turn() {
    const std::size_t taken = consume(limits::drain_records, std::numeric_limits<std::size_t>::max());
    if (taken > 0) {
      readable_.watch(0);
      rested_.arm(limits::drain_pause);
    } else {
      readable_.watch(EPOLLIN);
    }
  }

  std::function<void(const RawRecord&)> take_;
  std::uint64_t malformed_ = 0;
  bool consuming_ = false;
  std::size_t records_left_ = 0;
  std::size_t bytes_left_ = 0;
  std::size_t taken_ = 0;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  loop::Source readable_;  // behind the ring, so that it goes first: it watches the ring's descriptor
  loop::Source rested_;
};

}  // namespace

Result<std::unique_ptr<Ring>> Ring::open(loop::Loop& loop, int ring_fd, std::function<void(const RawRecord&)> take) {
  auto ring = std::make_unique<LibbpfRing>(std::move(take));
  if (Status started = ring->start(loop, ring_fd); !started) return tl::unexpected(started.error());
  return ring;
}

}  // namespace diagnose::drain
