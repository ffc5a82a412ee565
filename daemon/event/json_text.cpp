#include "event/json_text.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace diagnose::event {
namespace {

void append_number(std::string& to, auto number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  to.append(digits.data(), end);
}

// RFC 8259, section 7.  The text is UTF-8 already.
void append_string(std::string& to, std::string_view text) {
  to += '"';
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      to += '\\';
      to += byte;
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      std::array<char, 8> escaped;
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(byte));
      to += escaped.data();
    } else {
      to += byte;
    }
  }
  to += '"';
}

void append_value(std::string& to, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    to += "null";
  } else if (std::holds_alternative<std::string>(value) || std::holds_alternative<Address>(value) ||
             std::holds_alternative<Stack>(value)) {
    append_string(to, text_of(value));
  } else if (const double* number = std::get_if<double>(&value); number != nullptr && !std::isfinite(*number)) {
    append_string(to, text_of(value));  // JSON has no number for these
  } else {
    to += text_of(value);  // integers, `true`, seconds: JSON as they are
  }
}

void append_two(std::string& to, unsigned number) {
  to += static_cast<char>('0' + number / 10 % 10);
  to += static_cast<char>('0' + number % 10);
}

// RFC 3339 in UTC with milliseconds.
void append_time(std::string& to, std::chrono::system_clock::time_point time) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const auto in_day = duration_cast<milliseconds>(time - day).count();
  append_number(to, static_cast<int>(date.year()));
  to += '-';
  append_two(to, static_cast<unsigned>(date.month()));
  to += '-';
  append_two(to, static_cast<unsigned>(date.day()));
  to += 'T';
  append_two(to, static_cast<unsigned>(in_day / 3'600'000));
  to += ':';
  append_two(to, static_cast<unsigned>(in_day / 60'000 % 60));
  to += ':';
  append_two(to, static_cast<unsigned>(in_day / 1000 % 60));
  to += '.';
  to += static_cast<char>('0' + in_day / 100 % 10);
  append_two(to, static_cast<unsigned>(in_day % 100));
  to += 'Z';
}

}  // namespace

std::string json_text(const Record& record, std::string_view custom) {
  std::string text;
  text.reserve(320);
  text += "{\"time\":\"";
  append_time(text, record.time);
  text += "\",\"probe\":";
  append_string(text, record.probe);
  text += ",\"instrument\":";
  append_string(text, record.instrument);
  text += ",\"event\":";
  append_string(text, record.event);
  text += ",\"pid\":";
  append_number(text, record.pid);
  text += ",\"tid\":";
  append_number(text, record.tid);
  text += ",\"comm\":";
  append_string(text, text_of(record.comm));
  text += ",\"value\":";
  append_value(text, record.value);
  if (!record.message.empty()) {
    text += ",\"message\":";
    append_string(text, record.message);
  }
  text += ",\"labels\":{";
  for (std::size_t at = 0; at < record.labels.size(); ++at) {
    if (at != 0) text += ',';
    append_string(text, record.labels[at].first);
    text += ':';
    append_string(text, record.labels[at].second);
  }
  text += "},\"fields\":{";
  for (std::size_t at = 0; at < record.fields.size(); ++at) {
    if (at != 0) text += ',';
    append_string(text, record.fields[at].first);
    text += ':';
    append_value(text, record.fields[at].second);
  }
  text += '}';
  if (!record.truncated.empty()) {
    text += ",\"truncated\":[";
    for (std::size_t at = 0; at < record.truncated.size(); ++at) {
      if (at != 0) text += ',';
      append_string(text, record.truncated[at]);
    }
    text += ']';
  }
  text += ",\"custom\":";
  text += custom;
  text += '}';
  return text;
}

}  // namespace diagnose::event
