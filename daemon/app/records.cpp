// Probe::take: a record of the ring -> series, and what followers see.
#include <algorithm>
#include <cstring>
#include <utility>

#include "app/probe.h"
#include "bpf/contract.h"
#include "event/layout.h"

namespace diagnose::app {
namespace {

const char* event_text(std::uint32_t outcome) {
  if (outcome == 0) return "call";
  return outcome == OUTCOME_ERROR ? "error" : "return";
}

// A label's text is UTF-8 wherever it came from; a null column has its own.
std::string cut(std::string text, std::size_t chars) {
  if (text.size() <= chars) return text;
  text.resize(chars);
  return text + "...";
}

constexpr const char* goes_on = "\u2026";  // behind a text that was longer than its room

bool is_truncated(const event::Record& record, const std::string& name) {
  return std::find(record.truncated.begin(), record.truncated.end(), name) != record.truncated.end();
}

std::string message_of(const spec::Message& message, const event::Record& record) {
  std::string text = message.texts.empty() ? "" : message.texts.front();
  for (std::size_t at = 0; at < message.expressions.size(); ++at) {
    for (const auto& [name, value] : record.fields) {
      if (name != message.expressions[at].text) continue;
      text += event::text_of(value);
      if (is_truncated(record, name)) text += goes_on;
      break;
    }
    if (at + 1 < message.texts.size()) text += message.texts[at + 1];
  }
  return text;
}

// Addresses by the names that they have in their process now: when somebody reads them it may be gone.
event::Value named(event::Value value, pid_t pid, target::Symbols& symbols) {
  using Kind = target::Symbols::Kind;
  if (const auto* code = std::get_if<event::Address>(&value)) {
    return symbols.name(pid, MemoryAddress{code->address}, Kind::return_address);
  }
  const auto* stack = std::get_if<event::Stack>(&value);
  if (stack == nullptr) return value;
  std::vector<MemoryAddress> addresses;
  for (const std::uint64_t address : stack->addresses) addresses.push_back(MemoryAddress{address});
  std::vector<Kind> kinds(addresses.size(), Kind::return_address);
  if (!kinds.empty()) kinds.front() = Kind::instruction;  // the breakpoint's own
  std::string text;
  for (const std::string& name : symbols.names(pid, addresses, kinds)) text += (text.empty() ? "" : ";") + name;
  return text;
}

void fill_columns(event::Record& record, const compile::Evaluation& evaluation, std::span<const std::byte> payload,
                  target::Symbols& symbols) {
  for (std::size_t at = 0; at < evaluation.payload.columns.size(); ++at) {
    const event::Column& column = evaluation.payload.columns[at];
    event::Value value = named(event::value_of(column, payload), record.pid, symbols);
    if (event::is_truncated(column, payload)) record.truncated.push_back(column.name);
    if (at < evaluation.key.columns.size()) {
      record.labels.emplace_back(column.name, event::text_of(value));
    } else if (static_cast<std::int64_t>(column.offset) == evaluation.payload_value_offset) {
      record.value = std::move(value);
    } else {
      record.fields.emplace_back(column.name, std::move(value));
    }
  }
}

}  // namespace

std::optional<event::Record> Probe::take(const drain::RawRecord& raw, std::chrono::nanoseconds realtime_offset) {
  if (raw.instrument >= forms_.all.instruments.size()) return std::nullopt;
  const compile::Evaluation& evaluation = forms_.all.instruments[raw.instrument];
  const spec::Instrument& instrument = spec_.instruments[raw.instrument];
  if (raw.payload.size() < evaluation.payload.size) return std::nullopt;
  spending_.charge_ns(parts_.run_times.record);
  if (const auto& folding = foldings_[raw.instrument]; folding && evaluation.payload_value_offset >= 0) {
    std::int64_t value = 0;
    std::memcpy(&value, raw.payload.data() + evaluation.payload_value_offset, sizeof(value));
    folding->add(
        event::without_marks(evaluation.key, raw.payload.subspan(evaluation.payload_key_offset, evaluation.key.size)),
        value);
  }
  event::Record record;
  record.time = std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
      std::chrono::nanoseconds(static_cast<std::int64_t>(raw.time_ns)) + realtime_offset));
  record.probe = spec_.id;
  record.instrument = instrument.name.text.empty() ? "log" : instrument.name.text;
  record.event = event_text(raw.outcome);
  record.pid = static_cast<pid_t>(raw.tgid);
  record.tid = static_cast<pid_t>(raw.tid);
  record.comm = raw.comm;
  fill_columns(record, evaluation, raw.payload, parts_.symbols);
  if (instrument.message) record.message = cut(message_of(*instrument.message, record), instrument.max_chars);
  return record;
}

}  // namespace diagnose::app
