// Sites within functions, at addresses that are known: each is proved to be an instruction that may carry a breakpoint.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "target/answer.h"
#include "target/cfi.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/function_map.h"

namespace diagnose::target {

// Borrows all it is given.
class PlaceSites {
 public:
  PlaceSites(const ElfImage& image, Decoder& decoder, const FileRequest& request);

  // The function around `address`, with one site of `kind` there, which is never moved.  Fails, with the reason as
  // `why`: no function is known to hold the address; it is within an instruction (the neighbours are told); no
  // breakpoint may stand on the instruction; the code before it cannot be followed.
  [[nodiscard]] Result<Function> at(LinkAddress address, SiteKind kind);

  // The function around `address` decoded from its start; nullptr, with the reason in `why`, if it cannot be.
  [[nodiscard]] const Body* body_around(LinkAddress address, std::string& why);

 private:
  void set_frame(Site& site);

  const ElfImage& image_;
  Decoder& decoder_;
  const FileRequest& request_;
  FunctionMap map_;
  std::map<std::uint64_t, Body> bodies_;  // by first byte
  std::uint64_t decoded_bytes_ = 0;
  std::optional<CallFrames> frames_;  // opened when first asked for
  bool frames_tried_ = false;
};

}  // namespace diagnose::target
