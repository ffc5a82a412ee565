#include "cli/complete.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

namespace diagnose::cli {
namespace {

using Words = std::vector<std::string>;

// Values of options that have few.
const Words* values_of(const std::string& option) {
  static const std::map<std::string, Words> values = {
      {"--type", {"counter", "gauge", "histogram", "log"}},
      {"--event", {"call", "return", "error", "end"}},
      {"--operation", {"set", "inc", "dec", "min", "max"}},
      {"--return", {"auto", "trampoline", "callers", "sites"}},
      {"--aggregate", {"auto", "kernel", "events"}},
      {"--lifespan", {"90s", "10m", "2h", "7d", "forever"}},
      {"--unit", {"seconds", "bytes"}},
  };
  const auto found = values.find(option);
  return found == values.end() ? nullptr : &found->second;
}

void offer_value(const std::string& option, Offer& made) {
  if (const Words* values = values_of(option)) made.words = *values;
  if (option == "--pid") made.ask = Offer::Ask::pids;
  if (option == "--exe" || option == "--socket" || option == "--module") made.ask = Offer::Ask::files;
}

const VerbShape::Option* option_of(const VerbShape& verb, const std::string& name) {
  for (const VerbShape::Option& option : verb.options) {
    if (std::ranges::find(option.names, name) != option.names.end()) return &option;
  }
  return nullptr;
}

void take(Offer& made, const std::string& option, const std::string& value) {
  if (option == "--socket") made.socket = value;
  if (option == "--exe") made.arguments.exe = value;
  if (option == "--comm") made.arguments.comm = value;
  if (option == "--module") made.arguments.module = value;
  if (option == "--all") made.arguments.all = true;
  if (option != "--pid") return;
  for (std::size_t at = 0; at < value.size(); at = std::min(value.find(',', at), value.size() - 1) + 1) {
    int pid = 0;
    std::from_chars(value.data() + at, value.data() + value.size(), pid);
    if (pid > 0) made.arguments.pids.push_back(pid);
  }
}

// The prefix as a glob for everything that begins with it.
std::string glob_of(const std::string& prefix) {
  std::string glob;
  for (const char c : prefix) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob + "*";
}

void offer_functions(const std::string& written, Offer& made) {
  AttachArguments& to = made.arguments;
  const bool processes = !to.pids.empty() || !to.exe.empty() || !to.comm.empty() || to.all;
  const std::size_t start = function_start(written + "*");
  if (start == 0 && !processes && to.module.empty()) {
    made.ask = Offer::Ask::files;  // MODULE: is still to come
    return;
  }
  made.ask = Offer::Ask::functions;
  made.head += written.substr(0, start);
  to.function = written.substr(0, start) + glob_of(written.substr(start));
}

void offer_positional(const VerbShape& verb, const std::string& written, Offer& made) {
  const std::string kind = verb.positionals.empty() ? "" : verb.positionals.front();
  if (kind == "FUNCTION" || kind == "PATTERN") offer_functions(written, made);
  if (kind == "ID") made.ask = Offer::Ask::probes;
  if (kind == "FILE") made.ask = Offer::Ask::files;
  if (kind == "SHELL") made.words = {"bash", "zsh", "fish"};
}

// Everything in front of the last word: the verb, and what its options say.  The option whose value is being written.
std::optional<std::string> read_words(const std::vector<VerbShape>& verbs, const Words& words, const VerbShape*& verb,
                                      Offer& made) {
  for (std::size_t at = 1; at + 1 < words.size(); ++at) {
    const std::string& word = words[at];
    if (!word.starts_with('-')) {
      const auto named = std::ranges::find(verbs, word, &VerbShape::name);
      if (verb->name.empty() && named != verbs.end()) {
        verb = &*named;
        made.arguments = {};
      }
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const VerbShape::Option* option = option_of(*verb, name);
    if (equals != std::string::npos) {
      take(made, name, word.substr(equals + 1));
    } else if (option == nullptr || !option->takes_value) {
      take(made, name, "");
    } else if (at + 2 == words.size()) {
      return name;
    } else {
      take(made, name, words[++at]);
    }
  }
  return std::nullopt;
}

}  // namespace

Line split_line(std::string_view text) {
  Line line;
  std::string word;
  std::size_t start = 0;
  bool inside = false;
  char quote = '\0';
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (!inside && c == ' ') continue;
    if (!inside) start = at;
    inside = true;
    if (quote == '\'' ? c == quote : quote == '"' && c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != '\'' && c == '\\') {
      if (at + 1 < text.size()) word += text[++at];
    } else if (quote == '\0' && c == ' ') {
      line.words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
    }
  }
  line.words.push_back(word);
  if (inside) line.last_written = text.substr(start);
  line.in_quotes = quote != '\0' && line.last_written.starts_with(quote);
  return line;
}

Offer offer(const std::vector<VerbShape>& verbs, const Line& line) {
  Offer made;
  const auto self = std::ranges::find(verbs, std::string(), &VerbShape::name);
  if (self == verbs.end() || line.words.size() < 2) return made;
  const VerbShape* verb = &*self;
  const std::string& written = line.words.back();
  if (const auto option = read_words(verbs, line.words, verb, made)) {
    offer_value(*option, made);
    return made;
  }
  if (const std::size_t equals = written.find('='); written.starts_with("--") && equals != std::string::npos) {
    made.head = written.substr(0, equals + 1);
    offer_value(written.substr(0, equals), made);
  } else if (written.starts_with('-')) {
    for (const VerbShape::Option& option : verb->options) {
      for (const std::string& name : option.names) {
        if (name.starts_with("--")) made.words.push_back(name);
      }
    }
  } else if (verb->name.empty()) {
    for (const VerbShape& each : verbs) {
      if (!each.name.empty()) made.words.push_back(each.name);
    }
  } else {
    offer_positional(*verb, written, made);
  }
  return made;
}

std::string candidate(std::string_view shell, const Line& line, const std::string& word) {
  if (shell != "bash" || line.in_quotes) return word;
  // COMP_WORDBREAKS holds `:` and `=`: what stands in front of the last of them is no part of bash's word.
  const std::string& written = line.words.back();
  const std::size_t last = written.find_last_of(":=");
  std::string quoted;
  for (const char c : word.substr(last == std::string::npos ? 0 : last + 1)) {
    if (std::string_view(" \t\\'\"`$&|;<>()*?[]#~!{}").find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

}  // namespace diagnose::cli
