#include "exactness/exact_program.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <span>
#include <sstream>
#include <stdexcept>

namespace diagnose::test {
namespace {

using nlohmann::json;

std::vector<std::string> parts(const std::string& text, char separator) {
  std::vector<std::string> all;
  std::istringstream stream(text + separator);
  for (std::string part; std::getline(stream, part, separator);) all.push_back(part);
  return all;
}

std::vector<Expression> expressions_in(const std::string& text) {
  std::vector<Expression> all;
  for (const std::string& part : parts(text, '|')) {
    Expression expression;
    std::size_t at = 0;
    for (; part[at] == '!' || part[at] == '?' || part[at] == '@'; ++at) {
      expression.out_of_reach |= part[at] == '!';
      expression.removable |= part[at] == '?';
    }
    expression.text = part.substr(at);
    all.push_back(std::move(expression));
  }
  return all;
}

json probe(pid_t pid, const Watch& watch) {
  std::string message;
  for (const Expression& expression : watch.expressions) {
    message += (message.empty() ? "{" : "|{") + expression.text + "}";
  }
  return {{"target", {{"pid", pid}, {"function", watch.function}}},
          {"instrument", {{"type", "log"}, {"event", watch.event}, {"message", message}}}};
}

// Applies them as a file and notes which were refused, and why.
void apply(const Daemon& daemon, pid_t pid, std::span<Watch> watches) {
  json probes;
  for (const Watch& watch : watches) probes[watch.id] = probe(pid, watch);
  const std::string file = daemon.folder()->file(watches.front().id + ".yaml");
  write_file(file, json{{"probes", probes}}.dump());
  const Ended ended = daemon.ctl({"apply", file, "--json"});
  const json answer = json::parse(ended.out, nullptr, false);
  if (answer.is_discarded()) throw std::runtime_error("apply: " + ended.out + ended.err);
  std::map<std::string, std::string> states;
  const json list = daemon.json({"list"});
  for (const json& listed : list.at("probes")) states[listed.at("id")] = listed.at("state");
  for (Watch& watch : watches) {
    if (states[watch.id] == "armed") continue;
    for (const json& failed : answer.at("failed")) {
      if (failed.at("id") == watch.id) watch.error = failed.at("errors").dump();
    }
    if (watch.error.empty()) watch.error = daemon.ctl({"status", watch.id, "--json"}).out;
  }
}

// In files of a size that a busy host applies while the client still waits.
void apply_all(const Daemon& daemon, pid_t pid, std::vector<Watch>& watches) {
  constexpr std::size_t most = 30;
  for (std::size_t at = 0; at < watches.size(); at += most) {
    apply(daemon, pid, std::span(watches).subspan(at, std::min(most, watches.size() - at)));
  }
}

}  // namespace

std::vector<ExactFunction> functions_of(const std::string& program) {
  const Ended ended = run({program_path(program), "list"});
  if (ended.status != 0) throw std::runtime_error(program + " list: " + ended.err);
  std::vector<ExactFunction> functions;
  std::istringstream lines(ended.out);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = parts(line, '\t');
    functions.push_back({fields.at(0), expressions_in(fields.at(1)), expressions_in(fields.at(2))});
  }
  return functions;
}

std::map<std::pair<std::string, std::string>, Lines> printed_lines(const std::string& output) {
  std::map<std::pair<std::string, std::string>, Lines> all;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = parts(line, '\t');
    if (fields.size() == 3) all[{fields[0], fields[1]}].push_back(parts(fields[2], '|'));
  }
  return all;
}

std::vector<Watch> watch(const Daemon& daemon, pid_t pid, const std::vector<ExactFunction>& functions) {
  std::vector<Watch> wholes;
  for (std::size_t number = 0; number < functions.size(); ++number) {
    for (const char* event : {"call", "return"}) {
      const auto& expressions = event[0] == 'c' ? functions[number].at_call : functions[number].at_return;
      Watch whole{.id = fmt::format("{}-{}", event, number),
                  .function = functions[number].name,
                  .event = event,
                  .expressions = expressions,
                  .columns = std::vector<std::size_t>(expressions.size())};
      std::iota(whole.columns.begin(), whole.columns.end(), 0U);
      wholes.push_back(std::move(whole));
    }
  }
  apply_all(daemon, pid, wholes);
  std::vector<Watch> singles;
  for (const Watch& whole : wholes) {
    if (whole.error.empty()) continue;
    for (const std::size_t column : whole.columns) {
      singles.push_back({.id = fmt::format("{}-{}", whole.id, column),
                         .function = whole.function,
                         .event = whole.event,
                         .expressions = {whole.expressions[column]},
                         .columns = {column}});
    }
  }
  apply_all(daemon, pid, singles);
  std::erase_if(wholes, [](const Watch& whole) { return !whole.error.empty(); });
  wholes.insert(wholes.end(), singles.begin(), singles.end());
  return wholes;
}

std::vector<std::string> expected(const Watch& watch, const Lines& lines) {
  std::vector<std::string> all;
  for (const auto& values : lines) {
    std::string message;
    for (const std::size_t column : watch.columns) {
      if (column != watch.columns.front()) message += '|';
      message += values.at(column);
    }
    all.push_back(std::move(message));
  }
  return all;
}

}  // namespace diagnose::test
