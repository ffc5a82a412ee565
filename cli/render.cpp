#include "cli/render.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>
#include <string_view>
#include <vector>

#include "cli/fields.h"
#include "cli/text.h"
#include "lifespan/lifespan.h"

namespace diagnose::cli {

using nlohmann::json;

namespace {

constexpr std::size_t sites_shown_by_attach = 12;  // `status` shows all
constexpr std::size_t processes_shown_by_attach = 10;

std::string coloured(const std::string& text, const char* colour, const Style& style) {
  return style.colour && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : text;
}

std::string state_text(const std::string& state, const Style& style) {
  const bool bad = state == "failed" || state == "quarantined" || state == "tripped";
  const char* colour = bad ? "31" : state == "armed" ? "32" : state == "partial" || state == "pending" ? "33" : "2";
  return coloured(state, colour, style);
}

// "  key        value" lines; nothing for an empty value.
void line(std::string& text, std::string_view key, const std::string& value) {
  if (!value.empty()) text += fmt::format("  {:<10} {}\n", key, value);
}

std::string count_of(std::size_t count, std::string_view noun) {
  if (count == 1) return fmt::format("1 {}", noun);
  if (noun.ends_with('y')) return fmt::format("{} {}ies", count, noun.substr(0, noun.size() - 1));
  return fmt::format("{} {}{}", count, noun, noun.ends_with('s') ? "es" : "s");
}

std::string process_text(const json& process) {
  if (!process.is_object()) return scalar_text(process);
  const std::string comm = text_of(process, "comm");
  const std::string pid = process.contains("pid") ? scalar_text(process["pid"]) : "?";
  return comm.empty() ? pid : fmt::format("{} ({})", pid, comm);
}

std::string processes_text(const json& processes, std::size_t most) {
  if (processes.empty()) return "none yet";
  std::string text;
  for (std::size_t i = 0; i < std::min(processes.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + process_text(processes[i]);
  }
  if (processes.size() > most) text += fmt::format(" and {} more", processes.size() - most);
  return text;
}

// The names under `key` in the sites, each once; the first few of many.
std::string names_text(const json& sites, const char* key) {
  std::set<std::string> names;
  for (const json& site : sites) names.insert(text_of(site, key));
  names.erase("");
  if (names.empty()) return {};
  if (names.size() == 1) return *names.begin();
  return fmt::format("{} and {} more", *names.begin(), names.size() - 1);
}

std::string sites_text(const json& sites, std::size_t most) {
  const auto several = [&](const char* key) { return names_text(sites, key).find(" more") != std::string::npos; };
  const bool functions = several("function");
  const bool modules = several("module");
  std::vector<Table::Column> headings{{"ADDRESS", Align::right}, {"KIND"}, {"COST"}, {"INSTRUCTION"}};
  if (functions) headings.push_back({"FUNCTION"});
  if (modules) headings.push_back({"MODULE"});
  Table table(headings);
  for (std::size_t i = 0; i < std::min(sites.size(), most); ++i) {
    const json& site = sites[i];
    std::vector<std::string> cells{text_of(site, "address"), text_of(site, "kind"), text_of(site, "cost"),
                                   text_of(site, "instruction")};
    if (functions) cells.push_back(text_of(site, "function"));
    if (modules) cells.push_back(text_of(site, "module"));
    table.row(std::move(cells));
  }
  std::string text = table.text("    ");
  if (sites.size() > most) text += fmt::format("    and {} more\n", sites.size() - most);
  return text;
}

// "2 breakpoints: 1 emulated, 1 stepped"
std::string sites_summary(const json& sites) {
  std::string text = count_of(sites.size(), "breakpoint");
  const char* separator = ": ";
  for (const char* cost : {"optimised", "emulated", "stepped"}) {
    const auto count = std::ranges::count_if(sites, [&](const json& site) { return text_of(site, "cost") == cost; });
    if (count == 0) continue;
    text += fmt::format("{}{} {}", separator, count, cost);
    separator = ", ";
  }
  return text;
}

std::string expires_text(const json& object, Now now) {
  if (object.contains("expires") && object["expires"].is_null()) return "never";
  std::string expires = text_of(object, "expires");
  if (expires.empty()) return {};
  const auto time = lifespan::parse_rfc3339(expires);
  if (!time) return expires;
  const auto left = std::chrono::floor<std::chrono::seconds>(*time - now);
  return left.count() > 0 ? fmt::format("{} (in {})", expires, remaining_text(left)) : expires;
}

std::string return_text(const json& object) {
  const json& returned = object_of(object, "return");
  const std::string strategy = text_of(returned, "strategy");
  const std::string why = text_of(returned, "why");
  if (strategy.empty() || (strategy == "none" && why.empty())) return {};
  return why.empty() ? strategy : fmt::format("{}: {}", strategy, why);
}

std::string price_text(const json& object) {
  const auto price = number_of(object, "price_ns");
  return price ? fmt::format("about {} each hit", seconds_text(*price * 1e-9)) : std::string();
}

std::string target_text(const json& object) {
  const auto found = object.find("target");
  if (found == object.end()) return {};
  return scalar_text(*found);
}

// What `attach` and `status` both tell about the place.
void place_lines(std::string& text, const json& object, std::size_t sites_most, std::size_t processes_most) {
  const json& sites = list_of(object, "sites");
  const std::string function = text_of(object, "function");
  line(text, "target", target_text(object));
  line(text, "function", function.empty() ? names_text(sites, "function") : function);
  line(text, "module", names_text(sites, "module"));
  if (object.contains("processes")) {
    line(text, "processes", processes_text(list_of(object, "processes"), processes_most));
  }
  if (!sites.empty()) {
    line(text, "sites", sites_summary(sites));
    text += sites_text(sites, sites_most);
  }
  line(text, "return", return_text(object));
  line(text, "cost", price_text(object));
}

// What a moment's counting found, and what it says of the price.
std::string sample_text(const json& sample) {
  const auto rate = number_of(sample, "rate");
  const auto overhead = number_of(sample, "overhead");
  if (!rate || !overhead) return {};
  std::string text =
      fmt::format("{} calls a second, which would cost {:.3g} % of a core", value_text(*rate, ""), *overhead * 100);
  if (const std::string why = text_of(sample, "why"); !why.empty()) text += " or more (" + why + ")";
  return text;
}

// A table of the arguments, and the result, as debug information has them.
std::string arguments_table(const json& function) {
  Table table({{""}, {""}, {""}});
  const auto row = [&](const std::string& name, const json& value) {
    const std::string why = text_of(value, "why");
    const std::string place = text_of(value, "place");
    table.row({name, text_of(value, "type"), why.empty() ? place : why});
  };
  for (const json& argument : list_of(function, "arguments")) row(text_of(argument, "name"), argument);
  const json& result = object_of(function, "result");
  if (!text_of(result, "type").empty()) row("result", result);
  return table.text("    ");
}

// Signatures, arguments with their places, and strategies where functions differ in them.
std::string functions_lines(const json& explained) {
  const json& functions = list_of(explained, "functions");
  std::string text;
  for (const json& function : functions) {
    const std::string signature = text_of(function, "signature");
    if (signature.empty()) continue;
    const std::string file = text_of(function, "file");
    line(text, "signature",
         signature + (file.empty() ? "" : fmt::format("  {}:{:.0f}", file, number_of(function, "line").value_or(0))));
    text += arguments_table(function);
    if (const double inlined = number_of(function, "inlined").value_or(0); inlined > 0) {
      line(text, "inlined", count_of(static_cast<std::size_t>(inlined), "copy") + " elsewhere in the file");
    }
    if (functions.size() > 1 && text_of(function, "strategy") != "none") {
      line(text, "return", text_of(function, "strategy") + ": " + text_of(function, "why"));
    }
  }
  for (const json& debug : list_of(explained, "debug")) {
    if (!debug.contains("source") || !debug["source"].is_null()) continue;
    const std::string missing = text_of(debug, "missing");
    line(text, "debug",
         fmt::format("{} has no debug information: arguments are arg0, arg1, ..{}", text_of(debug, "module"),
                     missing.empty() || missing == text_of(debug, "module") ? "" : " (" + missing + ")"));
  }
  return text;
}

// A spec as it would stand in a file.  Recursion is bounded by the protocol's bound on nesting.
void yaml_lines(std::string& text, const json& value, const std::string& indent) {
  for (const auto& [key, entry] : value.items()) {
    const std::string head = value.is_array() ? indent + "-" : indent + printable(key) + ":";
    if (entry.is_structured() && !entry.empty()) {
      text += head + "\n";
      yaml_lines(text, entry, indent + "  ");
    } else {
      text += head + " " + scalar_text(entry) + "\n";
    }
  }
}

std::string status_of_one(const json& status, const Style& style, Now now) {
  std::string text =
      fmt::format("{} {}\n", coloured(text_of(status, "id"), "1", style), state_text(text_of(status, "state"), style));
  place_lines(text, status, list_of(status, "sites").size(), list_of(status, "processes").size());
  if (const auto hits = number_of(status, "hits")) line(text, "hits", value_text(*hits, ""));
  line(text, "lost", status.contains("lost") ? losses_text(status, "lost") : "");
  if (const auto truncated = number_of(status, "truncated"); truncated && *truncated > 0) {
    line(text, "truncated",
         value_text(*truncated, "") + (*truncated == 1 ? " text" : " texts") + ", longer than their room");
  }
  if (const auto overhead = number_of(status, "overhead_seconds")) {
    const auto budget = number_of(status, "budget");
    line(text, "overhead",
         seconds_text(*overhead) + (budget ? fmt::format(" of CPU, budget {:.4g} % of a core", *budget * 100) : ""));
  }
  line(text, "expires", expires_text(status, now));
  for (const auto& [process, applied] : object_of(status, "applied").items()) {
    const std::string error = applied.is_object() && applied.contains("err") ? scalar_text(applied["err"]) : "";
    const bool fine = error.empty() || error == "null";
    line(text, "applied", fmt::format("{}: {}", printable(process), fine ? "ok" : error));
  }
  for (const json& error : list_of(status, "errors")) {
    const Error told{.what = text_of(error, "what"),
                     .where = text_of(error, "where"),
                     .why = text_of(error, "why"),
                     .mend = text_of(error, "mend")};
    line(text, "error", coloured(told.text(), "31", style));
  }
  for (const json& note : list_of(status, "note")) line(text, "note", scalar_text(note));
  if (const json& spec = object_of(status, "spec"); !spec.empty()) {
    text += "  spec\n";
    yaml_lines(text, spec, "    ");
  }
  return text;
}

}  // namespace

std::string attach_text(const json& attached, const Style& style, Now now) {
  std::string text = fmt::format("{} {}\n", coloured(text_of(attached, "id"), "1", style),
                                 state_text(text_of(attached, "state"), style));
  place_lines(text, attached, sites_shown_by_attach, processes_shown_by_attach);
  line(text, "expires", expires_text(attached, now));
  for (const json& note : list_of(attached, "note")) line(text, "note", scalar_text(note));
  return text;
}

std::string explain_text(const json& explained, const Style& style, Now now) {
  const std::string state = text_of(explained, "state");
  std::string text =
      fmt::format("{} would be {}\n", coloured(text_of(explained, "id"), "1", style), state_text(state, style));
  place_lines(text, explained, list_of(explained, "sites").size(), processes_shown_by_attach);
  line(text, "sampled", sample_text(object_of(explained, "sample")));
  text += functions_lines(explained);
  std::string programs;
  for (const json& program : list_of(explained, "programs")) {
    programs += fmt::format("{}{} {}", programs.empty() ? "" : ", ", text_of(program, "role"),
                            value_text(number_of(program, "instructions").value_or(0), ""));
  }
  line(text, "programs", programs.empty() ? "" : programs + " instructions");
  line(text, "expires", expires_text(explained, now));
  for (const json& error : list_of(explained, "errors")) line(text, "error", text_of(error, "why"));
  for (const json& note : list_of(explained, "note")) line(text, "note", scalar_text(note));
  for (const json& program : list_of(explained, "programs")) {
    const auto listing = program.find("listing");
    if (listing == program.end() || !listing->is_string()) continue;
    text += fmt::format("\n{}\n{}", coloured("program " + text_of(program, "role"), "1", style),
                        listing->get_ref<const std::string&>());
  }
  return text;
}

std::string list_text(const json& list, const Style& style) {
  Table table({{"ID"},
               {"STATE"},
               {"TARGET"},
               {"HITS", Align::right},
               {"LOST", Align::right},
               {"OVERHEAD", Align::right},
               {"REMAINING", Align::right}});
  for (const json& probe : list_of(list, "probes")) {
    const auto hits = number_of(probe, "hits");
    const auto overhead = number_of(probe, "overhead_seconds");
    const auto remaining = number_of(probe, "remaining_seconds");
    const bool forever = probe.contains("remaining_seconds") && probe["remaining_seconds"].is_null();
    table.row({text_of(probe, "id"), state_text(text_of(probe, "state"), style), target_text(probe),
               hits ? value_text(*hits, "") : "-", probe.contains("lost") ? losses_text(probe, "lost") : "-",
               overhead ? seconds_text(*overhead) : "-",
               remaining ? remaining_text(std::chrono::seconds(static_cast<long long>(std::ceil(*remaining))))
               : forever ? "forever"
                         : "-"});
  }
  return table.empty() ? "no probes\n" : table.text();
}

std::string status_text(const json& status, const Style& style, Now now) {
  if (!status.contains("probes")) return status_of_one(status, style, now);
  std::string text;
  for (const json& probe : list_of(status, "probes")) {
    text += (text.empty() ? "" : "\n") + status_of_one(probe, style, now);
  }
  return text.empty() ? "no probes\n" : text;
}

std::string apply_text(const json& applied) {
  std::string text;
  for (const char* what : {"added", "updated", "removed", "unchanged"}) {
    for (const json& id : list_of(applied, what)) text += fmt::format("{:<9}  {}\n", what, scalar_text(id));
  }
  for (const json& failed : list_of(applied, "failed")) text += fmt::format("failed     {}\n", text_of(failed, "id"));
  return text.empty() ? "nothing to do: the files hold no probes\n" : text;
}

std::string event_text(const json& event, const Style& style) {
  std::string text = fmt::format("{} {} {}[{}]", coloured(text_of(event, "time"), "2", style),
                                 coloured(text_of(event, "probe"), "1", style), text_of(event, "comm"),
                                 event.contains("pid") ? scalar_text(event["pid"]) : "?");
  const json& truncated = list_of(event, "truncated");
  const auto shown = [&](const std::string& name, const json& value) {
    const bool goes_on = std::find(truncated.begin(), truncated.end(), json(name)) != truncated.end();
    return scalar_text(value) + (goes_on ? "\u2026" : "");
  };
  const std::string kind = text_of(event, "event");
  if (!kind.empty()) text += " " + kind;
  const std::string message = text_of(event, "message");
  if (!message.empty()) {
    text += " " + message;
  } else if (event.contains("value") && !event["value"].is_null()) {
    text += " " + shown("value", event["value"]);
  }
  const auto append = [&](const char* group) {
    for (const auto& [name, value] : object_of(event, group).items()) {
      text += fmt::format(" {}={}", printable(name), shown(name, value));
    }
  };
  append("labels");
  if (message.empty()) append("fields");  // which the message is made of
  return text + "\n";
}

}  // namespace diagnose::cli
