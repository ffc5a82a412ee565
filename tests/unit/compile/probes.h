// Probes made in a line, and instruments run on the machine.
#pragma once

#include <array>
#include <asm/ptrace.h>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf_machine.h"
#include "compile/evaluation.h"

namespace diagnose::compile {

inline spec::Text text_at(std::string text, int line = 3, int column = 10) {
  return {std::move(text), {"x.yaml", line, column}};
}

inline spec::Instrument gauge(const std::string& value) {
  spec::Instrument instrument;
  instrument.type = spec::InstrumentType::gauge;
  instrument.name = text_at("g");
  instrument.value = text_at(value);
  instrument.place = {"x.yaml", 1, 1};
  return instrument;
}

inline spec::Instrument of_type(spec::InstrumentType type, std::optional<std::string> value = std::nullopt) {
  spec::Instrument instrument = gauge("");
  instrument.type = type;
  instrument.value.reset();
  if (value) instrument.value = text_at(*value);
  return instrument;
}

inline spec::Probe probe_of(std::vector<spec::Instrument> instruments) {
  spec::Probe probe;
  probe.id = "p";
  probe.instruments = std::move(instruments);
  return probe;
}

// A target stopped at a site: registers, frame, and what evaluation leaves behind.
struct Stopped {
  pt_regs registers{};
  std::array<std::uint64_t, sizeof(::frame) / 8 + SAVED_MAX> frame{};
  alignas(8) std::array<unsigned char, 8192> out{};
  std::array<std::uint64_t, LEDGER_FIXED_WORDS> ledger{};
  BpfMachine machine;

  Stopped() {
    machine.give(&registers, sizeof(registers));
    machine.give(frame.data(), sizeof(frame));
    machine.give(ledger.data(), sizeof(ledger));
  }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

  // The frame's own words; the saved values follow them.
  ::frame& call() { return *reinterpret_cast<::frame*>(frame.data()); }

  void arguments(std::uint64_t a0, std::uint64_t a1 = 0, std::uint64_t a2 = 0) {
    registers.rdi = a0;
    registers.rsi = a1;
    registers.rdx = a2;
  }

  // `out` may be touched up to `out_bytes`, which start as rubbish.
  std::uint64_t run(const Function& function, std::size_t out_bytes = sizeof(evaluation)) {
    BpfMachine inner = machine;
    inner.give(out.data(), out_bytes);
    out.fill(0xee);
    const std::uint64_t answer = inner.run(function.instructions, &registers, frame.data(), out.data(), ledger.data());
    error = inner.error;
    stack_used = inner.stack_used;
    user_reads = inner.user_reads;
    return answer;
  }

  [[nodiscard]] std::int64_t value(std::size_t offset = 0) const {
    std::int64_t value = 0;
    std::memcpy(&value, out.data() + offset, 8);
    return value;
  }
  [[nodiscard]] std::uint64_t lost(loss reason) const {
    return ledger[static_cast<std::size_t>(LEDGER_LOST_FIRST) + reason];
  }

  std::string error;
  std::size_t stack_used = 0;
  std::size_t user_reads = 0;
};

inline std::string faults_text(const Evaluated& evaluated) {
  std::string text;
  for (const spec::Fault& fault : evaluated.faults) {
    text += std::to_string(fault.place.line) + ":" + std::to_string(fault.place.column) + ": " + fault.what + ": " +
            fault.why + (fault.mend.empty() ? "" : ": " + fault.mend) + "\n";
  }
  return text;
}

}  // namespace diagnose::compile
