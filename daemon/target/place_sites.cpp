#include "target/place_sites.h"

#include <algorithm>
#include <utility>

#include "target/function_sites.h"
#include "target/names.h"

namespace diagnose::target {
namespace {

constexpr std::uint64_t decoded_bytes_max = 32U << 20U;  // takes some two seconds

tl::unexpected<Error> no_place(LinkAddress address, std::string why, std::string mend = "") {
  return failure({.what = "probe", .where = hex(raw(address)), .why = std::move(why), .mend = std::move(mend)});
}

bool in_stubs(const ElfImage& image, LinkAddress address) {
  return std::any_of(image.sections().begin(), image.sections().end(), [&](const Section& section) {
    return section.executable && section.name.starts_with(".plt") && raw(address) >= section.address &&
           raw(address) - section.address < section.size;
  });
}

// Of an address that is none: the instruction that it is part of, and the next one.
std::string neighbours(const Body& body, LinkAddress address) {
  const auto next = std::upper_bound(body.boundaries.begin(), body.boundaries.end(), address);
  std::string text = "it is within the instruction at " + hex(raw(*std::prev(next)));
  if (next != body.boundaries.end()) text += "; the next one begins at " + hex(raw(*next));
  return text;
}

}  // namespace

PlaceSites::PlaceSites(const ElfImage& image, Decoder& decoder, const FileRequest& request)
    : image_(image), decoder_(decoder), request_(request), map_(image) {}

const Body* PlaceSites::body_around(LinkAddress address, std::string& why) {
  const auto around = map_.find(address);
  if (!around || in_stubs(image_, address)) {
    why = around ? "it is in a stub of the linker" : "no function is known to hold it";
    return nullptr;
  }
  const auto known = bodies_.find(raw(around->range.low));
  if (known != bodies_.end()) return &known->second;
  decoded_bytes_ += raw(around->range.high) - raw(around->range.low);
  if (decoded_bytes_ > decoded_bytes_max) {
    why = "the functions around have more than " + std::to_string(decoded_bytes_max >> 20U) + " MiB of code";
    return nullptr;
  }
  auto body = decode_body(image_, decoder_, *around);
  if (!body) {
    why = body.error().why;
    return nullptr;
  }
  return &bodies_.emplace(raw(around->range.low), std::move(*body)).first->second;
}

// Where no rule is known the frame must not be guessed: no register, so that what is read of it is unreadable.
void PlaceSites::set_frame(Site& site) {
  if (!frames_tried_) {
    frames_tried_ = true;
    if (auto opened = CallFrames::open(request_.fd, request_.name, image_.sections())) frames_ = std::move(*opened);
  }
  const auto rule = frames_ ? frames_->at(site.address) : std::nullopt;
  site.cfa_register = rule ? rule->cfa_register : register_none;
  site.cfa_offset = rule ? rule->offset : 0;
  site.cfa_indirect = rule && rule->indirect;
}

Result<Function> PlaceSites::at(LinkAddress address, SiteKind kind) {
  std::string why;
  const Body* body = body_around(address, why);
  if (body == nullptr) return no_place(address, why);
  if (address >= body->decoded_to) {
    return no_place(address, "what is before it cannot be decoded: undecodable byte at " + hex(raw(body->decoded_to)));
  }
  if (!body->in_step) return no_place(address, "jumps go into the middle of instructions around: it may be data");
  if (!body->is_boundary(address)) return no_place(address, neighbours(*body, address));
  const auto instruction = decoder_.decode(body->from(address), address);
  if (!instruction) return no_place(address, "no instruction");
  if (const auto refused = refusal(*instruction)) return no_place(address, *refused);
  const bool first = address == body->function.range.low;
  if (becomes_call(*instruction) && !first && !request_.nop5_in_body) {
    return no_place(address, "a 5-byte nop: this kernel writes a call over it, which destroys what is kept below rsp",
                    "probe the instruction behind it, at " + hex(raw(address) + instruction->length));
  }
  auto site = site_of(image_, decoder_, kind, *instruction);
  if (!site) return failure(site.error());
  site->cost = cost(*instruction, first);
  set_frame(*site);
  Function function;
  function.symbol = body->function.symbol.empty() ? hex(raw(body->function.range.low)) : body->function.symbol;
  function.name = demangle(without_clones(function.symbol));
  for (const std::string_view name : map_.names_at(body->function.range.low)) {
    if (name != function.symbol) function.names.emplace_back(name);
  }
  function.body = body->function.range;
  function.sites.push_back(std::move(*site));
  return function;
}

}  // namespace diagnose::target
