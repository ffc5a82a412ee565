#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <sys/random.h>
#include <unistd.h>
#include <utility>

#include "base/limits.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

constexpr std::string_view glob_characters = "*?[";
constexpr std::string_view number_starts = "+-.";

Error usage(std::string why, std::string mend) {
  return Error{.what = "attach", .where = {}, .why = std::move(why), .mend = std::move(mend)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Where `MODULE:FUNCTION` parts: the first colon that is not half of a `::`.
std::optional<std::size_t> module_colon(std::string_view text) {
  if (text.starts_with("re:")) return std::nullopt;
  for (std::size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', at)) {
    std::size_t end = at;
    while (end < text.size() && text[end] == ':') ++end;
    if ((end - at) % 2 == 1) return at == 0 || end == text.size() ? std::nullopt : std::optional(at);
    at = end;
  }
  return std::nullopt;
}

// "ns::f<int>(char const*) [clone .cold]" -> "ns::f"; "re:^SSL_" -> "^SSL_".
std::string_view bare_name(std::string_view function) {
  constexpr std::string_view anonymous = "(anonymous namespace)::";
  if (function.starts_with("re:")) return function.substr(3);
  if (const auto colon = module_colon(function)) function.remove_prefix(*colon + 1);
  if (const auto at = function.rfind(anonymous); at != std::string_view::npos) {
    function.remove_prefix(at + anonymous.size());
  }
  const auto cut = function.find_first_of("(<[ ");
  const bool has_operator = function.find("operator") != std::string_view::npos;
  return cut == std::string_view::npos || cut == 0 || has_operator ? function : function.substr(0, cut);
}

// Runs of anything but letters and digits become one `separator`, none at either end.
std::string joined_words(std::string_view text, char separator) {
  std::string joined;
  bool between = false;
  for (const char c : text) {
    if (!is_word(c)) {
      between = !joined.empty();
      continue;
    }
    if (std::exchange(between, false)) joined += separator;
    joined += c;
  }
  return joined;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) {
    const auto first = part.find_first_not_of(' ');
    const auto last = part.find_last_not_of(' ');
    parts.push_back(first == std::string::npos ? std::string() : part.substr(first, last - first + 1));
  }
  if (text.ends_with(separator)) parts.emplace_back();
  return parts;
}

// 24 -> 24, 1us -> "1us": the reader knows the units.
json number_or_text(const std::string& text) {
  const char* end = text.data() + text.size();
  long long whole = 0;
  if (const auto parsed = std::from_chars(text.data(), end, whole); parsed.ec == std::errc() && parsed.ptr == end) {
    return whole;
  }
  double real = 0;
  if (const auto parsed = std::from_chars(text.data(), end, real); parsed.ec == std::errc() && parsed.ptr == end) {
    return real;
  }
  return text;
}

// The path as the daemon, whose directory is another, needs it.  Globs that begin with one are left alone.
std::string absolute_exe(const std::string& exe) {
  if (exe.empty() || exe.front() == '/' || glob_characters.find(exe.front()) != std::string_view::npos) return exe;
  std::error_code error;
  if (exe.find('/') != std::string::npos) {
    const auto absolute = std::filesystem::absolute(exe, error);
    return error ? exe : absolute.lexically_normal().string();
  }
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "", ':')) {
    std::string candidate = directory;
    candidate.append("/").append(exe);
    if (directory.starts_with('/') && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return exe;  // the daemon says what it needs
}

std::string absolute_module(const std::string& module) {
  return module.find('/') == std::string::npos ? module : absolute_exe(module);
}

// The key that stands in the place of `function`, or nothing.
std::optional<std::pair<const char*, std::string>> place_of(const AttachArguments& arguments) {
  if (!arguments.usdt.empty()) return {{"usdt", arguments.usdt}};
  if (!arguments.line.empty()) return {{"line", arguments.line}};
  if (!arguments.address.empty()) return {{"address", arguments.address}};
  return std::nullopt;
}

Result<json> labels_of(const std::vector<std::string>& labels) {
  json mapping = json::object();
  for (const std::string& label : labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == label.size()) {
      return failure(usage("--label " + label + " is not NAME=EXPRESSION", "write it as in `--label size=arg1`"));
    }
    if (mapping.contains(label.substr(0, equals))) {
      return failure(usage("--label " + label.substr(0, equals) + " is given twice", "leave one out"));
    }
    mapping[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return mapping;
}

std::string type_of(const AttachArguments& arguments) {
  if (!arguments.type.empty()) return arguments.type;
  if (!arguments.message.empty()) return "log";
  if (!arguments.operation.empty()) return "gauge";
  if (place_of(arguments) && arguments.value.empty()) return "counter";  // only functions have a time
  return "histogram";
}

Result<json> instrument_of(const AttachArguments& arguments) {
  json instrument = {{"type", type_of(arguments)}};
  instrument["name"] = arguments.name.empty() ? metric_name(place_name(arguments)) : arguments.name;
  const std::array<std::pair<const char*, const std::string*>, 8> texts{{{"value", &arguments.value},
                                                                         {"event", &arguments.event},
                                                                         {"where", &arguments.where},
                                                                         {"operation", &arguments.operation},
                                                                         {"sample", &arguments.sample},
                                                                         {"message", &arguments.message},
                                                                         {"unit", &arguments.unit},
                                                                         {"help", &arguments.help}}};
  for (const auto& [key, text] : texts) {
    if (!text->empty()) instrument[key] = *text;
  }
  if (!arguments.labels.empty()) {
    auto labels = labels_of(arguments.labels);
    if (!labels) return labels;
    instrument["labels"] = std::move(*labels);
  }
  if (!arguments.buckets.empty()) {
    auto buckets = buckets_of(arguments.buckets);
    if (!buckets) return buckets;
    instrument["buckets"] = std::move(*buckets);
  }
  return instrument;
}

std::uint16_t random_suffix() {
  std::uint16_t suffix = 0;
  // Without randomness ids still differ by time; the daemon refuses one that is taken.
  if (getrandom(&suffix, sizeof suffix, 0) != sizeof suffix) {
    suffix = static_cast<std::uint16_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  return suffix;
}

}  // namespace

Result<json> target_of(const AttachArguments& arguments) {
  const auto place = place_of(arguments);
  const bool processes = !arguments.pids.empty() || !arguments.exe.empty() || !arguments.comm.empty() || arguments.all;
  json target = json::object();
  std::string module = arguments.module;
  std::string function = arguments.function;
  if (const auto colon = module_colon(function); colon && module.empty()) {
    module = function.substr(0, *colon);
    function = function.substr(*colon + 1);
    if (!processes) return json(absolute_module(module) + ":" + function);
  }
  if (!processes && module.empty()) {
    return failure(usage("`" + (place ? place->second : function) + "` does not say in which processes",
                         place ? "give --pid, --exe, --comm or --module"
                               : "give --pid, --exe, --comm or --module, or write `MODULE:FUNCTION`"));
  }
  if (arguments.all && module.empty()) {
    return failure(usage("--all needs a module", "add --module, as in `--module libc.so.6`"));
  }
  if (arguments.pids.size() == 1) target["pid"] = arguments.pids.front();
  if (arguments.pids.size() > 1) target["pid"] = arguments.pids;
  if (!arguments.exe.empty()) target["exe"] = absolute_exe(arguments.exe);
  if (!arguments.comm.empty()) target["comm"] = arguments.comm;
  if (!processes || arguments.all) target["all"] = true;
  if (!module.empty()) target["module"] = absolute_module(module);
  target[place ? place->first : "function"] = place ? place->second : function;
  return target;
}

std::size_t function_start(std::string_view text) {
  const auto colon = module_colon(text);
  return colon ? *colon + 1 : 0;
}

std::string place_name(const AttachArguments& arguments) {
  if (!arguments.address.empty()) return "address." + arguments.address;
  const auto place = place_of(arguments);
  std::string name = place ? place->second : arguments.function;
  if (place) std::ranges::replace(name, ':', '.');  // it parts no module from a function
  return name;
}

std::string metric_name(std::string_view function) {
  std::string name = joined_words(bare_name(function), '_');
  if (name.empty()) return "probe";
  return is_digit(name.front()) ? "_" + name : name;
}

std::string probe_id(std::string_view function, std::uint16_t suffix) {
  std::array<char, 8> hex{};
  std::snprintf(hex.data(), hex.size(), "-%04x", suffix);
  std::string id = joined_words(bare_name(function), '-');
  std::ranges::transform(id, id.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  id.resize(std::min(id.size(), limits::id_chars - 5));
  while (!id.empty() && id.back() == '-') id.pop_back();
  return (id.empty() ? "probe" : id) + hex.data();
}

std::string fresh_id(std::string_view function) {
  return probe_id(function, random_suffix());
}

Result<json> buckets_of(const std::string& text) {
  const auto wrong = [&] {
    return failure(
        usage("--buckets " + text + " has no known form",
              "write `exponential:START,FACTOR,COUNT`, `linear:START,WIDTH,COUNT` or upper bounds `1us,10us,1ms`"));
  };
  if (text.starts_with('{')) {
    json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return wrong();
    return object;
  }
  const auto colon = text.find(':');
  const std::string form = colon == std::string::npos ? "explicit" : text.substr(0, colon);
  json numbers = json::array();
  for (const std::string& part : split(colon == std::string::npos ? text : text.substr(colon + 1), ',')) {
    if (part.empty() || (!is_digit(part.front()) && number_starts.find(part.front()) == std::string_view::npos)) {
      return wrong();
    }
    numbers.push_back(number_or_text(part));
  }
  if (form == "explicit" && !numbers.empty()) return json{{"explicit", numbers}};
  if (form == "log" && numbers.size() == 1) return json{{"log", numbers[0]}};
  if (numbers.size() != 3 || (form != "exponential" && form != "linear")) return wrong();
  const char* step = form == "linear" ? "width" : "factor";
  return json{{form, {{"start", numbers[0]}, {step, numbers[1]}, {"count", numbers[2]}}}};
}

Result<json> spec_of(const AttachArguments& arguments) {
  auto target = target_of(arguments);
  if (!target) return target;
  auto instrument = instrument_of(arguments);
  if (!instrument) return instrument;
  json spec = {{"target", std::move(*target)}, {"instrument", std::move(*instrument)}};
  if (!arguments.lifespan.empty()) spec["lifespan"] = arguments.lifespan;
  if (!arguments.return_strategy.empty()) spec["return"] = arguments.return_strategy;
  if (!arguments.aggregate.empty()) spec["aggregate"] = arguments.aggregate;
  return spec;
}

std::vector<std::string> with_joined_pids(const std::vector<std::string>& arguments) {
  std::vector<std::string> joined;
  bool in_pids = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool number = !argument.empty() && std::ranges::all_of(argument, is_digit);
    const bool follows_number = i > 0 && arguments[i - 1] != "--pid";
    if (in_pids && number && follows_number) {
      joined.back() += "," + argument;
    } else {
      joined.push_back(argument);
    }
    in_pids = argument == "--pid" || (in_pids && number);
  }
  return joined;
}

}  // namespace diagnose::cli
