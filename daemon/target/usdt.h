// USDT markers: what <sys/sdt.h> leaves in .note.stapsdt (sourceware.org/systemtap/wiki/UserSpaceProbeImplementation,
// version 3).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "target/answer.h"
#include "target/debug_info.h"
#include "target/elf_image.h"

namespace diagnose::target {

// One location of a marker; a marker has as many as its line was compiled to.
struct Marker {
  std::string provider, name;
  std::string arguments;  // "-4@%edi 8@-8(%rbp)"
  LinkAddress address{};  // of its instruction
  std::optional<FileOffset> semaphore;
  std::string why;  // if it cannot be used: where its semaphore should be there is no data

  [[nodiscard]] std::string text() const { return provider + ":" + name; }
};

// In the order of the file; empty if it has none.  Fails for notes that lie about their size.
[[nodiscard]] Result<std::vector<Marker>> read_markers(const ElfImage& image);

// Whether `wanted` ("python:function__entry", also as DTrace writes it, "python:function-entry") is this marker.
[[nodiscard]] bool is_marker(const Marker& marker, std::string_view wanted);

// Where a symbol is; nothing if there is none of that name, or several.
using SymbolAddress = std::function<std::optional<LinkAddress>(std::string_view)>;

// The arguments of a marker, named arg0, arg1, .., integers of the size and sign that it tells.  Their types are added
// to `types`.  Each part of the text that has an unknown form is an argument with the reason in `why`.
[[nodiscard]] std::vector<Variable> marker_arguments(std::string_view text, const SymbolAddress& symbols,
                                                     std::vector<DebugType>& types);

// Adds the arguments to those of `info.places` that `request` calls markers; both have the same places, in the file
// `image`.  There they are the parameters; those of the function around are no parameters any more.
[[nodiscard]] Status describe_markers(const DescribeRequest& request, const ElfImage& image, DebugInfo& info);

}  // namespace diagnose::target
