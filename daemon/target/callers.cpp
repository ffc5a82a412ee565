#include "target/callers.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "target/code.h"
#include "target/function_map.h"
#include "target/imports.h"
#include "target/names.h"
#include "target/placement.h"
#include "target/references.h"

namespace diagnose::target {
namespace {

// Decoding this much takes some two seconds.
constexpr std::uint64_t decoded_bytes_max = 32U << 20U;
// f is left by a jump to g, g by one to h, ...: who calls f is a caller of h.
constexpr int tail_depth_max = 4;
constexpr std::size_t tails_max = 10'000;  // functions followed in this way; beyond: the list is not complete
constexpr std::uint64_t plt_bytes_max = 16U << 20U;

// The site behind a call, or why there is none.
Result<Site> site_behind(const ElfImage& image, Decoder& decoder, std::span<const std::uint8_t> code,
                         LinkAddress return_address, std::span<const LinkAddress> targets, bool needs_result,
                         bool needs_memory) {
  const auto failed = [&](std::string why) {
    return failure(Error{.what = "find a site behind the call",
                         .where = image.name() + ":" + hex(raw(return_address)),
                         .why = std::move(why),
                         .mend = {}});
  };
  std::string why;
  const auto place = place_behind_call(decoder, code, return_address, targets, needs_result, needs_memory, why);
  if (!place) return failed(std::move(why));
  const auto offset = image.file_offset(place->instruction.address);
  if (!offset) return failed(offset.error().why);
  Site site;
  site.kind = SiteKind::caller;
  site.address = place->instruction.address;
  site.offset = *offset;
  site.instruction = decoder.text(place->instruction);
  site.length = place->instruction.length;
  site.bytes.assign(place->instruction.bytes.begin(), place->instruction.bytes.end());
  site.cost = cost(place->instruction, false);
  site.cfa_offset = place->cfa_offset;
  site.unless = place->unless;
  site.result_register = place->result_register;
  site.return_address = return_address;
  return site;
}

// The functions of a file that were asked about, one after another in the order of their addresses.
class Bodies {
 public:
  Bodies(const ElfImage& image, Decoder& decoder) : image_(image), decoder_(decoder) {}

  // The function around `address`, or nullptr with the reason in `why`.
  const Body* around(LinkAddress address, std::string& why);
  [[nodiscard]] bool exhausted() const { return decoded_bytes_ > decoded_bytes_max; }
  // Made at the first use: most modules of a process call nothing that is probed.
  [[nodiscard]] const FunctionMap& functions() {
    if (!functions_) functions_.emplace(image_);
    return *functions_;
  }

 private:
  const ElfImage& image_;
  Decoder& decoder_;
  std::optional<FunctionMap> functions_;
  std::optional<Body> last_;
  std::uint64_t decoded_bytes_ = 0;
};

const Body* Bodies::around(LinkAddress address, std::string& why) {
  const auto function = functions().find(address);
  if (!function) {
    why = "the function around it is not known: the file is stripped and has no unwind table for it";
    return nullptr;
  }
  if (!last_ || last_->function.range.low != function->range.low ||
      last_->function.range.high != function->range.high) {
    decoded_bytes_ += raw(function->range.high) - raw(function->range.low);
    if (exhausted()) {
      why = "the functions that call have more than " + std::to_string(decoded_bytes_max >> 20U) + " MiB of code";
      return nullptr;
    }
    auto body = decode_body(image_, decoder_, *function);
    if (!body) {
      why = body.error().why;
      return nullptr;
    }
    last_ = std::move(*body);
  }
  if (!last_->in_step) {
    why = "a jump goes into the middle of an instruction of the function around it: data among the code";
    return nullptr;
  }
  return &*last_;
}

class CallerSearch {
 public:
  CallerSearch(const CallersRequest& request, const ElfImage& image, const Imports& imports, Decoder& decoder)
      : request_(request),
        image_(image),
        imports_(imports),
        decoder_(decoder),
        bodies_(image, decoder),
        most_(request.callers_max != 0 ? request.callers_max : limits::callers_per_probe) {}

  Result<CallersAnswer> run();

 private:
  using Functions = std::set<std::uint32_t>;

  void want(LinkAddress code, std::uint32_t function);
  void want(std::string_view symbol, std::uint32_t function);
  [[nodiscard]] Status find_slots();
  [[nodiscard]] Status find_stubs();
  void want_stub(const Segment& plt, std::span<const std::uint8_t> bytes, const Reference& jump);
  [[nodiscard]] Result<std::vector<Reference>> references() const;
  void take(const Reference& reference);
  void take_call(const Body& body, const Reference& reference, const Functions& functions);
  void take_tail(const Body& body, const Functions& functions);
  [[nodiscard]] bool full() const { return answer_.callers.size() + answer_.without.size() >= most_; }
  [[nodiscard]] bool in_plt(LinkAddress address) const;
  [[nodiscard]] const Functions* functions_of(const Reference& reference) const;

  const CallersRequest& request_;
  const ElfImage& image_;
  const Imports& imports_;
  Decoder& decoder_;
  Bodies bodies_;
  std::size_t most_;
  std::vector<Segment> plts_;
  std::unordered_map<std::string_view, std::vector<LinkAddress>> slots_by_symbol_;
  // What stands for which functions: code that is them, is left for them or jumps to them, and the slots that hold
  // them.
  std::map<LinkAddress, Functions> code_, slots_;
  std::vector<LinkAddress> new_code_, new_slots_;  // not searched for yet
  std::size_t tails_ = 0;
  std::set<std::pair<LinkAddress, std::uint32_t>> seen_;  // (return address, function)
  CallersAnswer answer_;
};

void CallerSearch::want(LinkAddress code, std::uint32_t function) {
  if (code_[code].insert(function).second) new_code_.push_back(code);
}

void CallerSearch::want(std::string_view symbol, std::uint32_t function) {
  const auto found = slots_by_symbol_.find(symbol);
  if (found == slots_by_symbol_.end()) return;
  for (const LinkAddress slot : found->second) {
    if (slots_[slot].insert(function).second) new_slots_.push_back(slot);
  }
}

bool CallerSearch::in_plt(LinkAddress address) const {
  return std::any_of(plts_.begin(), plts_.end(), [&](const Segment& plt) {
    return raw(address) >= plt.address && raw(address) - plt.address < plt.size;
  });
}

Status CallerSearch::find_slots() {
  for (const Slot& slot : imports_.slots()) slots_by_symbol_[slot.symbol].push_back(slot.address);
  constexpr std::size_t plts_max = 16;  // linkers make up to three
  for (const Section& section : image_.sections()) {
    if (!section.executable || !section.name.starts_with(".plt") || section.size == 0) continue;
    if (plts_.size() == plts_max) break;
    const auto first = image_.file_offset(LinkAddress{section.address});
    const auto last = image_.file_offset(LinkAddress{section.address + section.size - 1});
    if (section.size > plt_bytes_max || !first || !last || raw(*last) - raw(*first) != section.size - 1) {
      return failure({.what = "find callers",
                      .where = image_.name(),
                      .why = "its " + std::string(section.name) + " lies outside of its code",
                      .mend = "check that the file is a whole x86-64 program or library"});
    }
    plts_.push_back({section.address, raw(*first), section.size});
  }
  return {};
}

// A stub is `[endbr64] [mov $n, %r11d] [bnd] jmp *slot(%rip)`, and its start is what is called: whatever lies close
// before the jump and behind the jump of its neighbour.
void CallerSearch::want_stub(const Segment& plt, std::span<const std::uint8_t> bytes, const Reference& jump) {
  constexpr std::size_t jump_bytes = 6;
  constexpr std::size_t prologue_bytes = 10;
  const Functions functions = slots_[jump.to];
  const std::size_t at = raw(jump.end) - plt.address - jump_bytes;
  for (std::size_t back = 0; back <= prologue_bytes && back <= at; ++back) {
    const std::size_t start = at - back;
    const bool neighbour = start >= jump_bytes && bytes[start - jump_bytes] == 0xff && bytes[start - 5] == 0x25;
    for (const std::uint32_t function : functions) want(LinkAddress{plt.address + start}, function);
    if (neighbour) break;
  }
}

Status CallerSearch::find_stubs() {
  for (const Segment& plt : plts_) {
    std::vector<std::uint8_t> bytes(plt.size);
    if (auto got = image_.read(FileOffset{plt.offset}, bytes); !got) return got;
    const auto jumps = find_references(image_, std::span(&plt, 1), AddressSet({}), AddressSet(new_slots_));
    if (!jumps) return failure(jumps.error());
    for (const Reference& jump : jumps->found) {
      const std::size_t end = raw(jump.end) - plt.address;
      if (end <= plt.size && bytes[end - 5] == 0x25) want_stub(plt, bytes, jump);
    }
  }
  return {};
}

const CallerSearch::Functions* CallerSearch::functions_of(const Reference& reference) const {
  const auto& places = reference.through_slot ? slots_ : code_;
  const auto found = places.find(reference.to);
  return found == places.end() ? nullptr : &found->second;
}

Result<std::vector<Reference>> CallerSearch::references() const {
  auto found = find_references(image_, image_.code_segments(), AddressSet(new_code_), AddressSet(new_slots_));
  if (!found) return failure(found.error());
  if (found->too_many) {
    return failure({.what = "find callers", .where = image_.name(), .why = "a million calls", .mend = {}});
  }
  for (const LinkAddress code : new_code_) {
    if (in_plt(code)) continue;
    const auto jumps = find_short_jumps(image_, code);
    found->found.insert(found->found.end(), jumps.begin(), jumps.end());
  }
  std::sort(found->found.begin(), found->found.end(),
            [](const Reference& a, const Reference& b) { return a.end < b.end; });
  return std::move(found->found);
}

void CallerSearch::take_call(const Body& body, const Reference& reference, const Functions& functions) {
  const auto site = site_behind(image_, decoder_, body.from(reference.end), reference.end, body.jump_targets,
                                request_.needs_result, request_.needs_memory);
  for (const std::uint32_t function : functions) {
    if (!seen_.insert({reference.end, function}).second) continue;
    if (full()) {
      answer_.too_many = true;
      return;
    }
    if (site) {
      answer_.callers.push_back({function, *site, std::string(body.function.symbol)});
    } else {
      answer_.without.push_back({function, reference.end, site.error().why});
    }
  }
}

// The function around a jump to the callee returns to its own callers when the callee returns.
void CallerSearch::take_tail(const Body& body, const Functions& functions) {
  const Enclosing& from = body.function;
  std::vector<LinkAddress> starts = {from.range.low};
  if (is_cold(from.symbol)) starts = bodies_.functions().starts_of(cold_parent(from.symbol));
  for (const LinkAddress start : starts) {
    if (++tails_ > tails_max) {
      answer_.too_many = true;
      return;
    }
    for (const std::uint32_t function : functions) {
      want(start, function);
      for (const std::string_view name : bodies_.functions().names_at(start)) want(name, function);
    }
  }
}

void CallerSearch::take(const Reference& reference) {
  const LinkAddress last{raw(reference.end) - 1};
  const Functions* wanted = functions_of(reference);
  if (wanted == nullptr || in_plt(last)) return;
  std::string why;
  const Body* body = bodies_.around(last, why);
  if (body == nullptr) {
    if (bodies_.exhausted()) answer_.too_many = true;
    return;  // never a breakpoint where the boundaries are not known; if these bytes are a call, it is learnt
  }
  const auto instruction = body->instruction_before(decoder_, reference.end);
  if (!instruction) return;
  const Functions functions = *wanted;  // a tail adds to the table
  const bool indirect = instruction->length >= 6 && instruction->bytes[instruction->length - 6U] == 0xff;
  const bool agrees = reference.through_slot ? indirect : instruction->target == reference.to;
  if (!agrees) return;
  const Range& range = body->function.range;
  const bool inner = !reference.through_slot && reference.to >= range.low && reference.to < range.high;
  if (instruction->flow == Flow::call) {
    take_call(*body, reference, functions);
  } else if (instruction->flow != Flow::next && !inner) {
    take_tail(*body, functions);
  }
}

Result<CallersAnswer> CallerSearch::run() {
  answer_.build_id = image_.build_id();
  if (auto found = find_slots(); !found) return failure(found.error());
  for (const auto& callee : request_.callees) {
    if (callee.address) want(*callee.address, callee.function);
    for (const std::string& symbol : callee.symbols) {
      want(std::string_view(symbol).substr(0, symbol.find('@', 1)), callee.function);
    }
  }
  for (int depth = 0; depth <= tail_depth_max && !(new_code_.empty() && new_slots_.empty()); ++depth) {
    if (auto found = find_stubs(); !found) return failure(found.error());
    const auto found = references();
    if (!found) return failure(found.error());
    new_code_.clear();
    new_slots_.clear();
    for (const Reference& reference : *found) {
      if (!answer_.too_many) take(reference);
    }
  }
  std::sort(answer_.callers.begin(), answer_.callers.end(), [](const Caller& a, const Caller& b) {
    return std::pair(a.site.return_address, a.function) < std::pair(b.site.return_address, b.function);
  });
  return std::move(answer_);
}

ReturnSite return_site(const ElfImage& image, Decoder& decoder, Bodies& bodies, LinkAddress return_address,
                       bool needs_result, bool needs_memory) {
  ReturnSite found;
  found.return_address = return_address;
  const auto take = [&](Result<Site> site) {
    if (site) {
      found.site = std::move(*site);
    } else {
      found.why = site.error().why;
    }
  };
  // A call may be the last instruction of its function; the function is the one that holds the call.
  std::string why;
  const Body* body = bodies.around(LinkAddress{raw(return_address) - 1}, why);
  if (body != nullptr) {
    found.in = body->function.symbol;
    if (!body->is_boundary(return_address) && return_address < body->decoded_to) {
      found.why = "the return address is in the middle of an instruction";
      return found;
    }
    take(site_behind(image, decoder, body->from(return_address), return_address, body->jump_targets, needs_result,
                     needs_memory));
    return found;
  }
  // Code ran there, so its boundaries are known from there on.
  constexpr std::uint64_t read_bytes = 256;
  std::uint64_t size = 0;
  for (const Segment& segment : image.code_segments()) {
    if (raw(return_address) < segment.address || raw(return_address) - segment.address >= segment.size) continue;
    size = std::min(read_bytes, segment.size - (raw(return_address) - segment.address));
  }
  const auto code = image.code({return_address, LinkAddress{raw(return_address) + size}});
  if (!code) {
    found.why = code.error().why;
    return found;
  }
  take(site_behind(image, decoder, *code, return_address, {}, needs_result, needs_memory));
  return found;
}

}  // namespace

Result<CallersAnswer> find_callers(const CallersRequest& request) {
  const auto image = ElfImage::open(request.fd, request.name);
  if (!image) return failure(image.error());
  const auto imports = Imports::read(*image);
  if (!imports) return failure(imports.error());
  auto decoder = Decoder::make();
  if (!decoder) return failure(decoder.error());
  return CallerSearch(request, *image, *imports, *decoder).run();
}

Result<std::vector<ReturnSite>> find_return_sites(const ReturnSitesRequest& request) {
  const auto image = ElfImage::open(request.fd, request.name);
  if (!image) return failure(image.error());
  auto decoder = Decoder::make();
  if (!decoder) return failure(decoder.error());
  Bodies bodies(*image, *decoder);
  std::vector<ReturnSite> sites;
  sites.reserve(request.return_offsets.size());
  for (const FileOffset offset : request.return_offsets) {
    const auto address = image->link_address(offset);
    if (address) {
      sites.push_back(return_site(*image, *decoder, bodies, *address, request.needs_result, request.needs_memory));
    } else {
      sites.push_back({.return_address = {}, .site = {}, .in = {}, .why = address.error().why});
    }
  }
  return sites;
}

}  // namespace diagnose::target
