#include <cstdio>
#include <cstring>

#include "exact.h"

namespace exact {

volatile std::uint64_t kept = 0;

std::uint64_t next() {
  static std::uint64_t state = 0x9e3779b97f4a7c15;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  switch (state % 7) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return state >> 57;
    case 3:
      return 0 - (state >> 55);
    case 4:
      return 0x8080808080808080 ^ (state >> 60);
    default:
      return state;
  }
}

void Shown::set(long value) {
  text_ = std::to_string(value);
}
void Shown::set(unsigned long value) {
  text_ = std::to_string(value);
}
void Shown::set(double value) {
  char shown[64];
  std::snprintf(shown, sizeof(shown), "%.17g", value);
  text_ = shown;
}
void Shown::set(const char* value) {
  text_ = value;
}
Shown::Shown(std::string_view value) : text_(value) {}

namespace {

std::vector<const Case*>& cases() {
  static std::vector<const Case*> all;
  return all;
}

template <typename Texts>
std::string joined(const Texts& texts) {
  std::string all;
  bool first = true;
  for (const auto& text : texts) {
    if (!first) all += "|";
    first = false;
    all += text;
  }
  return all;
}

bool outlives(const char* expression) {
  return std::string_view(expression).substr(0, 2).find('@') == std::string_view::npos;  // among the marks
}

void print(const char* event, const char* function, const std::vector<std::string>& values) {
  std::printf("%s\t%s\t%s\n", event, function, joined(values).c_str());
}

}  // namespace

Case::Case(const char* function, Expressions at_call, Expressions at_return) : function_(function), at_call_(at_call) {
  for (const char* expression : at_call) {
    if (outlives(expression)) at_return_.push_back(expression);
  }
  at_return_.insert(at_return_.end(), at_return.begin(), at_return.end());
  cases().push_back(this);
}

void Case::call(std::initializer_list<Shown> values) const {
  std::vector<std::string> texts;
  for (const Shown& value : values) texts.push_back(value.text());
  print("call", function_, texts);
  open_.push_back(std::move(texts));
}

void Case::returned(std::initializer_list<Shown> values) const {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < at_call_.size(); ++i) {
    if (outlives(at_call_[i])) texts.push_back(open_.back()[i]);
  }
  open_.pop_back();
  for (const Shown& value : values) texts.push_back(value.text());
  print("return", function_, texts);
}

void Case::list() {
  for (const Case* one : cases()) {
    std::printf("%s\t%s\t%s\n", one->function_, joined(one->at_call_).c_str(), joined(one->at_return_).c_str());
  }
}

}  // namespace exact

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "list") == 0) {
    exact::Case::list();
    return 0;
  }
  const long rounds = protocol::argument(argc, argv, 1, 8);
  protocol::ready();
  for (long round = 0; round < rounds; ++round) {
    exact::call_numbers();
    exact::call_structs();
    exact::call_members();
    exact::call_library();
    exact::call_control();
  }
}
