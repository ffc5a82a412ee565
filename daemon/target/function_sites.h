// The sites of a function: where its entry and its exits are probed, and what else its code says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "target/answer.h"
#include "target/cfi.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/exits.h"
#include "target/function_map.h"
#include "target/placement.h"

namespace diagnose::target {

// Fails if the address is in no executable segment.
[[nodiscard]] Result<Site> site_of(const ElfImage& image, Decoder& decoder, SiteKind kind, const Instruction& at);

// Borrows all it is given.
class FunctionSites {
 public:
  // The bytes of a range; may refuse.
  using Read = std::function<Result<Stretch>(Range)>;

  FunctionSites(const ElfImage& image, Decoder& decoder, const FileRequest& request, Read read);

  // `function` has its body, its cold parts and one site, its first instruction.  Moves that site to the cheapest
  // place, and adds the exits if they are asked for.
  void complete(Function& function);

  // Takes back what a jump from elsewhere in the file makes wrong.  After complete() of all, with the same functions at
  // the same indices.
  void settle(std::vector<Function>& functions);

 private:
  struct Move {
    std::size_t function = 0;  // the how-manieth that was completed
    LinkAddress place{};
    Site before;
    LinkAddress from{}, to{};  // see Moved
  };

  [[nodiscard]] std::vector<Stretch> stretches(Function& function);
  void place_entry_of(Function& function, const std::vector<Stretch>& parts, const Exits& code);
  void add_exits(Function& function, const std::vector<Stretch>& parts, const Exits& code);
  [[nodiscard]] Result<Site> exit_site(Function& function, const std::vector<Stretch>& parts, const Exits& code,
                                       const Exit& exit);
  void read_nature(Function& function, const std::vector<Stretch>& parts, const Exits& code);
  [[nodiscard]] Result<Site> moved_site(SiteKind kind, const Moved& moved);
  [[nodiscard]] const CallFrames* frames();
  [[nodiscard]] std::unordered_set<std::uint64_t> jumped_to(const std::vector<Function>& functions);
  [[nodiscard]] bool is_short_jump(const Function& function, LinkAddress end, LinkAddress to);

  const ElfImage& image_;
  Decoder& decoder_;
  const FileRequest& request_;
  Read read_;
  bool go_ = false;                   // the file is of Go
  std::optional<CallFrames> frames_;  // opened when first asked for
  bool frames_tried_ = false;
  std::optional<FunctionMap> map_;  // likewise
  std::size_t lookups_;             // of call-frame information that are left
  std::optional<LinkAddress> again_;
  std::size_t completed_ = 0;
  std::vector<Move> moves_;
};

}  // namespace diagnose::target
