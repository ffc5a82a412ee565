// The ring buffer's reader, on the loop.  drain/ is the only folder that casts kernel bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/result.h"
#include "loop/loop.h"

namespace diagnose::drain {

// A record's header, checked: `payload` has the bytes that its size promised.
struct RawRecord {
  std::uint16_t kind = 0;  // enum record_kind
  std::uint16_t instrument = 0;
  std::uint32_t probe = 0;
  std::uint32_t tgid = 0;
  std::uint32_t tid = 0;
  std::uint32_t outcome = 0;  // enum outcome: how the call ended; 0 at a call
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  char comm[17] = {};         // NUL-terminated
  std::span<const std::byte> payload;
};

// Nullopt-like: false if the bytes are too short or their size field lies.  `record.payload` points into `bytes`. Kinds
// are the taker's to judge.
[[nodiscard]] bool decode(std::span<const std::byte> bytes, RawRecord& record);

class Ring {
 public:
  // `ring_fd` is the ring map (borrowed).  `take` is called on the loop's thread, at most limits::drain_records in a
  // turn; after a turn the ring rests for limits::drain_pause, so that a busy ring sends no wake-up per record.  `take`
  // must neither throw nor destroy the ring; it may call drain(), which then does nothing.
  [[nodiscard]] static Result<std::unique_ptr<Ring>> open(loop::Loop& loop, int ring_fd,
                                                          std::function<void(const RawRecord&)> take);
  virtual ~Ring() = default;
  // Takes everything that is there now, whatever the turn's bound; what is written meanwhile waits for the next turn.
  virtual void drain() = 0;
  // Records that were malformed: a defect of ours, counted, never silent.
  [[nodiscard]] virtual std::uint64_t malformed() const = 0;
};

}  // namespace diagnose::drain
