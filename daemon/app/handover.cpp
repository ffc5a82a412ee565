#include "app/handover.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <iterator>
#include <string_view>

#include "attach/object_name.h"

namespace diagnose::app {
namespace {

// FNV-1a, 64 bits: tells changes, resists nobody.
std::uint64_t hash(std::string_view text) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char byte : text) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return sum;
}

void add(std::string& text, const event::Layout& layout) {
  text += fmt::format("layout {}", layout.size);
  for (const event::Column& column : layout.columns) {
    text += fmt::format(" {:?}:{}:{}:{}:{:?}:{}", column.name, static_cast<int>(column.type), column.offset,
                        column.size, column.constant, column.null_bit);
  }
}

void add(std::string& text, const compile::Function& function) {
  for (const bpf_insn& one : function.instructions) {
    std::uint64_t word = 0;
    static_assert(sizeof word == sizeof one);
    std::memcpy(&word, &one, sizeof word);
    text += fmt::format(" {:x}", word);
  }
}

void add(std::string& text, const target::Site& site) {
  const target::Tail& tail = site.tail;
  text += fmt::format(" {}:{:x}:{:x}:{}:{}:{}:{}:{}:{:x}", static_cast<int>(site.kind), raw(site.address),
                      raw(site.offset), site.cfa_register, site.cfa_offset, site.cfa_indirect,
                      site.unless ? *site.unless : -1, site.result_register, raw(site.semaphore));
  if (site.kind != target::SiteKind::tail) return;
  text += fmt::format("/{}:{}:{}:{}:{}:{}", static_cast<int>(tail.kind), tail.condition, tail.base, tail.index,
                      tail.scale, tail.displacement);
}

void names_of(const HandedProbe& probe, std::vector<Name>& names) {
  const auto all = [&](const std::vector<Name>& more) { names.insert(names.end(), more.begin(), more.end()); };
  all(probe.maps);
  all(probe.programs);
  names.push_back(probe.thread_end);
  for (const auto& [pid, links] : probe.unwinding) all(links);
  for (const HandedGrip& grip : probe.grips) {
    all(grip.links);
    all(grip.learning);
    names.push_back(grip.lease);
  }
  for (const auto& held : probe.callers.held) all(held.links);
  std::erase(names, "");
}

}  // namespace

std::string contract_digest() {
  return DIAGNOSE_CONTRACT;
}

std::uint64_t shape_of_maps(const compile::Plan& plan, const compile::ProbeEvaluation& evaluation) {
  std::string text = fmt::format("{} {}", plan.ledger_words, plan.records_per_second);
  for (const compile::MapPlan& map : plan.maps) {
    text += fmt::format("\nmap {} {} {} {} {} {} {}", static_cast<int>(map.role), map.instrument,
                        static_cast<int>(map.type), map.key_bytes, map.value_bytes, map.entries, map.flags);
  }
  for (const compile::InstrumentPlan& instrument : plan.instruments) {
    text += fmt::format("\ninstrument {} {} {} {} {}", static_cast<int>(instrument.stencil), instrument.base,
                        instrument.words, instrument.gauge_mask, instrument.record_bytes);
  }
  for (const compile::Evaluation& one : evaluation.instruments) {
    text += fmt::format("\nevaluation {} {} {} {} {} {} ", static_cast<int>(one.phase), one.fold, one.unit_is_time,
                        one.value_is_signed, one.payload_key_offset, one.payload_value_offset);
    add(text, one.key);
    add(text, one.payload);
    for (const std::int64_t bound : one.bounds) text += fmt::format(" {}", bound);
    // Cookies to come must mean the forms that the programs were made of.
    if (evaluation.forms == 1) continue;
    text += fmt::format(" {} forms", evaluation.forms);
    add(text, one.admit);
    add(text, one.evaluate);
  }
  return hash(text);
}

std::uint64_t digest_of(const target::Module& module) {
  std::string text = module.build_id;
  for (const target::Function& function : module.functions) {
    text += fmt::format("\n{} {:x} {:x}", function.symbol, raw(function.body.low), raw(function.body.high));
    for (const target::Range& cold : function.cold) text += fmt::format(" {:x}-{:x}", raw(cold.low), raw(cold.high));
    for (const target::Site& site : function.sites) add(text, site);
  }
  return hash(text);
}

HandedFolding handed(const metrics::Reading& reading) {
  HandedFolding folding;
  for (const metrics::Folded& series : reading.series) {
    std::vector<std::uint8_t> key(series.key.size());
    std::transform(series.key.begin(), series.key.end(), key.begin(),
                   [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
    folding.series.emplace_back(std::move(key), series.words);
  }
  folding.other = reading.other;
  return folding;
}

metrics::Reading reading_of(const HandedFolding& folding) {
  metrics::Reading reading;
  for (const auto& [key, words] : folding.series) {
    std::vector<std::byte> bytes(key.size());
    std::transform(key.begin(), key.end(), bytes.begin(), [](std::uint8_t byte) { return std::byte{byte}; });
    reading.series.push_back({.key = std::move(bytes), .words = words});
  }
  reading.other = folding.other;
  return reading;
}

bool same_but_lifespan(const nlohmann::json& one, const nlohmann::json& other) {
  if (!one.is_object() || !other.is_object()) return one == other;
  nlohmann::json left = one;
  nlohmann::json right = other;
  for (const char* key : {"lifespan", "lastmodified", "applied"}) {
    left.erase(key);
    right.erase(key);
  }
  return left == right;
}

// ---- descriptors ----

Name Outgoing::add(int descriptor) {
  if (descriptor < 0) return "";
  descriptors_.push_back(descriptor);
  return attach::object_name(descriptor);
}

std::vector<Name> Outgoing::add(const std::vector<Fd>& descriptors) {
  std::vector<Name> names;
  for (const Fd& descriptor : descriptors) names.push_back(add(descriptor));
  return names;
}

Incoming::Incoming(std::vector<Fd> descriptors) {
  for (Fd& descriptor : descriptors) {
    const Name name = attach::object_name(descriptor.get());
    descriptors_.emplace(name, std::move(descriptor));
  }
}

Fd Incoming::take(const Name& name) {
  const auto found = descriptors_.find(name);
  if (found == descriptors_.end()) return {};
  Fd taken = std::move(found->second);
  descriptors_.erase(found);
  return taken;
}

std::vector<Fd> Incoming::take(const std::vector<Name>& names) {
  std::vector<Fd> taken;
  for (const Name& name : names) {
    if (Fd descriptor = take(name)) taken.push_back(std::move(descriptor));
  }
  return taken;
}

bool Incoming::take_all(const HandedProbe& probe, Incoming& from) {
  std::vector<Name> names;
  names_of(probe, names);
  bool complete = true;
  for (const Name& name : names) {
    Fd descriptor = from.take(name);
    complete = complete && descriptor;
    if (descriptor) descriptors_.emplace(name, std::move(descriptor));
  }
  if (complete) return true;
  from.descriptors_.merge(descriptors_);
  return false;
}

std::vector<Fd> Incoming::rest() {
  std::vector<Fd> left;
  for (auto& [name, descriptor] : descriptors_) left.push_back(std::move(descriptor));
  descriptors_.clear();
  return left;
}

// ---- everything ----

Inheritance::Inheritance(Handover handover, std::vector<Fd> descriptors)
    : last_number_(handover.last_number), descriptors_(std::move(descriptors)) {
  records_ = descriptors_.take(handover.records);
  processes_ = descriptors_.take(handover.processes);
  if (!records_ || !processes_) return;  // programs that write elsewhere are of no use
  for (HandedProbe& probe : handover.probes) probes_.emplace(probe.id, std::move(probe));
}

std::unique_ptr<Bequest> Inheritance::claim(const spec::Probe& spec) {
  const auto found = probes_.find(spec.id);
  if (found == probes_.end() || !same_but_lifespan(spec.written, found->second.written)) return nullptr;
  auto claimed = std::make_unique<Bequest>();
  if (!claimed->descriptors.take_all(found->second, descriptors_)) return nullptr;
  claimed->probe = std::move(found->second);
  probes_.erase(found);
  return claimed;
}

Inheritance::Unclaimed Inheritance::rest() {
  Unclaimed left;
  for (const auto& [id, probe] : probes_) left.ids.push_back(id);
  probes_.clear();
  left.descriptors = descriptors_.rest();
  return left;
}

}  // namespace diagnose::app
