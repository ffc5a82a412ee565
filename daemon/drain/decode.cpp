#include <cstring>

#include "bpf/contract.h"
#include "drain/ring.h"

namespace diagnose::drain {

bool decode(std::span<const std::byte> bytes, RawRecord& record) {
  struct record header;
  static_assert(sizeof(header.comm) < sizeof(record.comm));
  if (bytes.size() < sizeof(header)) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));  // a copy: the bytes need not be aligned
  if (header.size < sizeof(header) || header.size > bytes.size()) return false;
  record = RawRecord{.kind = header.kind,
                     .instrument = header.instrument,
                     .probe = header.probe,
                     .tgid = header.tgid,
                     .tid = header.tid,
                     .outcome = header.outcome,
                     .time_ns = header.time_ns,
                     .payload = bytes.subspan(sizeof(header), header.size - sizeof(header))};
  std::memcpy(record.comm, header.comm, sizeof(header.comm));
  return true;
}

}  // namespace diagnose::drain
