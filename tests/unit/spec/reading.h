// Shared by the tests of spec/: reading a text, and its faults as a user sees them.
#pragma once

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "spec/read.h"

namespace diagnose::spec {

inline Document read_text(std::string_view text) {
  return read(text, "t.yaml", lifespan::parse_rfc3339("2026-11-20T12:00:00Z").value());
}

inline std::vector<std::string> fault_texts(const Document& document) {
  std::vector<std::string> texts;
  for (const Fault& fault : document.faults) texts.push_back(fault.text());
  return texts;
}

inline std::vector<std::string> faults_of(std::string_view text) {
  return fault_texts(read_text(text));
}

// The only probe of a text without faults.
inline Probe probe_of(std::string_view text) {
  Document document = read_text(text);
  for (const std::string& fault : fault_texts(document)) ADD_FAILURE() << fault;
  if (document.probes.size() != 1) {
    ADD_FAILURE() << document.probes.size() << " probes";
    return {};
  }
  return std::move(document.probes.front());
}

inline std::string with_target(const std::string& target) {
  return "probes: {p: {target: " + target + ", instrument: {type: counter, name: n}}}";
}
inline std::string with_instrument(const std::string& instrument) {
  return "probes: {p: {target: 'm:f', instrument: " + instrument + "}}";
}
inline std::string with_keys(const std::string& keys) {
  return "probes: {p: {target: 'm:f', instrument: {type: counter, name: n, labels: {a: arg0}}, " + keys + "}}";
}

// A fault in a one-line text is expected to have this `what: why: mend`.
inline void expect_fault(const std::string& text, const std::string& expected) {
  const Document document = read_text(text);
  EXPECT_TRUE(document.probes.empty()) << text;
  ASSERT_EQ(document.faults.size(), 1U) << text << "\n" << ::testing::PrintToString(fault_texts(document));
  const Fault& fault = document.faults.front();
  EXPECT_EQ(fault.what + ": " + fault.why + ": " + fault.mend, expected) << text;
  EXPECT_GT(fault.place.line, 0) << text;
  EXPECT_GT(fault.place.column, 0) << text;
}

}  // namespace diagnose::spec
