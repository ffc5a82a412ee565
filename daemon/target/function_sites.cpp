#include "target/function_sites.h"

#include <algorithm>
#include <utility>

#include "target/references.h"
#include "target/return_address.h"

namespace diagnose::target {
namespace {

// Each takes about a microsecond.  Beyond: functions are taken to read their return address.
constexpr std::size_t frame_lookups_max = 200'000;

// Registers that a result may take besides the first (System V ABI 3.2.3; Go's abi-internal.md).
constexpr std::uint16_t result_words = register_bit(2);
constexpr std::uint16_t go_result_words = register_bit(3) | register_bit(1) | register_bit(7) | register_bit(6) |
                                          register_bit(8) | register_bit(9) | register_bit(10) | register_bit(11);

bool within(const Range& range, LinkAddress address) {
  return address >= range.low && address < range.high;
}

// Go's linker writes both; one of them goes with `strip`, the other stays.
bool made_by_go(const ElfImage& image) {
  return image.section(".gopclntab") != nullptr || image.section(".go.buildinfo") != nullptr ||
         image.section(".note.go.buildid") != nullptr;
}

// Names of Go are "package.function"; those of C in the same file have no dot, but for the compiler's clones.
bool is_go_name(const std::string& symbol) {
  return symbol.find('.') != std::string::npos && !symbol.starts_with("_Z");
}

void set_rule(Site& site, const CfaRule& rule) {
  site.cfa_register = rule.cfa_register;
  site.cfa_offset = rule.offset;
  site.cfa_indirect = rule.indirect;
}

}  // namespace

Result<Site> site_of(const ElfImage& image, Decoder& decoder, SiteKind kind, const Instruction& at) {
  auto offset = image.file_offset(at.address);
  if (!offset) return failure(offset.error());
  Site site;
  site.kind = kind;
  site.address = at.address;
  site.offset = *offset;
  site.instruction = decoder.text(at);
  site.length = at.length;
  site.bytes.assign(at.bytes.begin(), at.bytes.end());
  site.cost = cost(at, kind == SiteKind::entry);
  if (kind == SiteKind::tail) site.tail = at.tail;
  return site;
}

FunctionSites::FunctionSites(const ElfImage& image, Decoder& decoder, const FileRequest& request, Read read)
    : image_(image),
      decoder_(decoder),
      request_(request),
      read_(std::move(read)),
      go_(made_by_go(image)),
      lookups_(frame_lookups_max) {}

const CallFrames* FunctionSites::frames() {
  if (!frames_tried_) {
    frames_tried_ = true;
    if (auto opened = CallFrames::open(request_.fd, request_.name, image_.sections())) frames_ = std::move(*opened);
  }
  return frames_ ? &*frames_ : nullptr;
}

// Empty, with the reason in exits_error, if they cannot be read.
std::vector<Stretch> FunctionSites::stretches(Function& function) {
  std::vector<Range> ranges = function.cold;
  ranges.insert(ranges.begin(), function.body);
  std::vector<Stretch> parts;
  for (const Range& range : ranges) {
    auto code = read_(range);
    if (!code) {
      if (request_.exits) function.exits_error = code.error().why;
      return {};
    }
    parts.push_back(std::move(*code));
  }
  return parts;
}

Result<Site> FunctionSites::moved_site(SiteKind kind, const Moved& moved) {
  auto site = site_of(image_, decoder_, kind, moved.place.instruction);
  if (!site) return site;
  set_rule(*site, {register_sp, moved.place.cfa_offset, false});
  site->unless = moved.place.unless;
  if (kind == SiteKind::exit) site->result_register = moved.place.result_register;
  return site;
}

void FunctionSites::complete(Function& function) {
  const std::size_t number = completed_++;
  function.go = go_ && is_go_name(function.symbol);
  const bool cheap_entry = function.sites.front().cost != Cost::stepped;
  if (!request_.exits && cheap_entry && !function.go) return;
  const std::vector<Stretch> parts = stretches(function);
  if (parts.empty()) return;
  const Exits code = find_exits(decoder_, parts);
  const std::size_t first_move = moves_.size();
  place_entry_of(function, parts, code);
  if (request_.exits) add_exits(function, parts, code);
  for (std::size_t i = first_move; i < moves_.size(); ++i) moves_[i].function = number;
}

void FunctionSites::place_entry_of(Function& function, const std::vector<Stretch>& parts, const Exits& code) {
  const EntryWish wish{.registers = static_cast<std::uint16_t>(
                           request_.entry_registers | (request_.entry_unmoved ? register_bit(register_sp) : 0U)),
                       .memory = request_.entry_memory,
                       .exits = request_.exits};
  again_.reset();
  std::optional<Moved> moved;
  if (function.go) {
    if (const auto check = place_behind_stack_check(decoder_, parts, code, wish)) {
      moved = check->entry;
      again_ = check->again;
    }
  }
  if (!moved && function.sites.front().cost == Cost::stepped) {
    moved = place_entry(decoder_, parts, code, wish, frames());
  }
  if (!moved) return;
  auto site = moved_site(SiteKind::entry, *moved);
  if (!site) return;
  moves_.push_back({0, site->address, std::exchange(function.sites.front(), std::move(*site)), moved->from, moved->to});
}

Result<Site> FunctionSites::exit_site(Function& function, const std::vector<Stretch>& parts, const Exits& code,
                                      const Exit& exit) {
  auto plain = site_of(image_, decoder_, exit.kind, exit.instruction);
  if (!plain) return plain;
  if (exit.kind == SiteKind::tail) {
    if (const auto rule = frames() != nullptr ? frames()->at(plain->address) : std::nullopt) set_rule(*plain, *rule);
    return plain;
  }
  const ExitWish wish{.memory = request_.exit_memory, .result_words = function.go ? go_result_words : result_words};
  const auto moved = place_return(decoder_, parts, code, exit, wish, frames());
  if (!moved || moved->place.instruction.address == function.sites.front().address) return plain;
  auto site = moved_site(SiteKind::exit, *moved);
  if (!site) return plain;
  moves_.push_back({0, site->address, std::move(*plain), moved->from, moved->to});
  return site;
}

void FunctionSites::add_exits(Function& function, const std::vector<Stretch>& parts, const Exits& code) {
  function.exits_error = code.error;
  if (!function.exits_error.empty()) return;
  const std::size_t first_move = moves_.size();
  for (const Exit& exit : code.exits) {
    if (again_ && exit.instruction.address == *again_) continue;
    auto site = exit_site(function, parts, code, exit);
    if (!site) {
      function.exits_error = site.error().why;
      function.sites.resize(1);
      moves_.resize(first_move);
      return;
    }
    function.sites.push_back(std::move(*site));
  }
  std::sort(function.sites.begin() + 1, function.sites.end(),
            [](const Site& a, const Site& b) { return a.address < b.address; });
  read_nature(function, parts, code);
}

void FunctionSites::read_nature(Function& function, const std::vector<Stretch>& parts, const Exits& code) {
  const bool jumps_out =
      std::any_of(code.exits.begin(), code.exits.end(), [](const Exit& exit) { return exit.kind == SiteKind::tail; });
  function.leaf = code.decoded && !code.calls && !code.switches_stack && !jumps_out;
  function.reads_return_address = reads_return_address(decoder_, parts, frames(), lookups_);
}

// A byte that looks like a short jump is one only if the function around it says so.
bool FunctionSites::is_short_jump(const Function& function, LinkAddress end, LinkAddress to) {
  const LinkAddress inside{raw(end) - 1};
  if (within(function.body, inside)) return false;  // its own jumps have been looked at
  if (!map_) map_.emplace(image_);
  const auto around = map_->find(inside);
  if (!around) return true;
  const auto body = decode_body(image_, decoder_, *around);
  if (!body || !body->in_step) return true;
  const auto jump = body->instruction_before(decoder_, end);
  return jump && jump->target == to && jump->flow != Flow::next;
}

// The addresses within the moves that something from elsewhere goes to.
std::unordered_set<std::uint64_t> FunctionSites::jumped_to(const std::vector<Function>& functions) {
  std::vector<LinkAddress> watched;
  std::unordered_set<std::uint64_t> found;
  for (const Move& move : moves_) {
    for (std::uint64_t at = raw(move.from) + 1; at <= raw(move.to); ++at) {
      watched.push_back(LinkAddress{at});
      for (const Reference& jump : find_short_jumps(image_, LinkAddress{at})) {
        if (is_short_jump(functions[move.function], jump.end, jump.to)) found.insert(at);
      }
    }
  }
  if (watched.empty()) return found;
  const auto references = find_references(image_, image_.code_segments(), AddressSet(watched), AddressSet({}));
  if (!references || references->too_many) {
    for (const LinkAddress address : watched) found.insert(raw(address));
    return found;
  }
  for (const Reference& reference : references->found) found.insert(raw(reference.to));
  return found;
}

void FunctionSites::settle(std::vector<Function>& functions) {
  const auto targets = jumped_to(functions);
  for (Move& move : moves_) {
    bool holds = true;
    for (std::uint64_t at = raw(move.from) + 1; at <= raw(move.to) && holds; ++at) holds = !targets.contains(at);
    if (holds) continue;
    for (Site& site : functions[move.function].sites) {
      if (site.address == move.place && site.kind == move.before.kind) site = move.before;
    }
  }
  moves_.clear();
}

}  // namespace diagnose::target
