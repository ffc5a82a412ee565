// Labels as a program itself prints the values, and as /metrics shows them: each set of values counted as often as it
// was.
#include <algorithm>
#include <gtest/gtest.h>
#include <iostream>

#include "exactness/exact_program.h"

namespace diagnose::test {
namespace {

using nlohmann::json;

// Of texts a label has 31 characters, unless it asks for more.
constexpr std::size_t label_characters = 31;

struct Labelled {
  std::string function;
  std::string event;
  // As the program lists them, and as the label says it if that is not the same.
  std::vector<std::pair<std::string, std::string>> expressions;
};

const std::vector<Labelled> of_cpp = {
    {"exact::enums", "call", {{"color", ""}, {"level", ""}, {"shade", ""}}},
    {"exact::enums", "return", {{"color", ""}, {"result", ""}}},
    {"exact::leveled", "call", {{"p->shade", ""}, {"p->color", ""}, {"*l", ""}}},
    {"exact::booleans", "call", {{"a", ""}, {"b", ""}, {"a != b", ""}}},
    {"exact::widths", "return", {{"a", ""}, {"f", ""}, {"result", ""}}},
    {"exact::pointers", "call", {{"s", ""}}},
    {"exact::strings", "call", {{"a", "str(a, 56)"}, {"*b", ""}}},
    {"exact::strings", "return", {{"a", "str(a, 64)"}, {"*b", "str(*b, 64)"}, {"c", "str(c, 64)"}}},
    {"exact::texts", "call", {{"n", ""}, {"a", ""}, {"b", ""}}},
    {"exact::cut", "return", {{"result", ""}}},
    {"exact::large", "call", {{"l.ratio", ""}, {"n", ""}}},
};
const std::vector<Labelled> of_rust = {
    {"exact_rust::colors", "call", {{"color", ""}, {"*other", ""}}},
    {"exact_rust::texts", "call", {{"s", ""}, {"*t", "str(*t, 64)"}}},
    {"exact_rust::named", "return", {{"result", ""}}},
};
const std::vector<Labelled> of_go = {
    {"main.texts", "call", {{"s", ""}, {"*t", "str(*t, 64)"}}},
    {"main.colored", "return", {{"c", ""}, {"result", ""}}},
    {"main.joined", "return", {{"result", ""}}},
};

struct Build {
  const char* program;
  const std::vector<Labelled>* watched;
};
std::ostream& operator<<(std::ostream& out, const Build& build) {
  return out << build.program;
}

class ExactLabels : public ::testing::TestWithParam<Build> {};

std::string label(std::size_t number) {
  return "l" + std::to_string(number);
}

json probe(pid_t pid, const Labelled& watched, std::size_t number) {
  json labels;
  for (std::size_t i = 0; i < watched.expressions.size(); ++i) {
    const auto& [listed, written] = watched.expressions[i];
    labels[label(i)] = written.empty() ? listed : written;
  }
  return {{"target", {{"pid", pid}, {"function", watched.function}}},
          {"instrument",
           {{"type", "counter"},
            {"name", "exact." + std::to_string(number)},
            {"event", watched.event},
            {"labels", labels}}}};
}

std::map<Labels, double> expected(const Labelled& watched, const std::vector<ExactFunction>& functions,
                                  const Lines& lines) {
  const auto function = std::find_if(functions.begin(), functions.end(),
                                     [&](const ExactFunction& one) { return one.name == watched.function; });
  const auto& listed = watched.event == "call" ? function->at_call : function->at_return;
  std::map<Labels, double> counts;
  for (const auto& values : lines) {
    Labels labels;
    for (std::size_t i = 0; i < watched.expressions.size(); ++i) {
      const std::string& text = watched.expressions[i].first;
      const std::string& written = watched.expressions[i].second;
      const auto at = std::find_if(listed.begin(), listed.end(), [&](const auto& one) { return one.text == text; });
      const std::string& value = values.at(static_cast<std::size_t>(at - listed.begin()));
      labels[label(i)] = written.empty() ? value.substr(0, label_characters) : value;
    }
    ++counts[labels];
  }
  return counts;
}

std::map<Labels, double> shown(const Daemon& daemon, std::size_t number) {
  std::map<Labels, double> counts;
  for (Series series : daemon.metrics().find("exact_" + std::to_string(number) + "_total")) {
    series.labels.erase("probe");
    counts[series.labels] = series.value;
  }
  return counts;
}

TEST_P(ExactLabels, CountWhatTheProgramItselfPrints) {
  const std::vector<Labelled>& watched = *GetParam().watched;
  const Daemon daemon;
  const auto functions = functions_of(GetParam().program);
  Program program({GetParam().program, "8"});
  json probes;
  for (std::size_t number = 0; number < watched.size(); ++number) {
    probes["p" + std::to_string(number)] = probe(program.pid(), watched[number], number);
  }
  const std::string file = daemon.folder()->file("labels.yaml");
  write_file(file, json{{"probes", probes}}.dump());
  const Ended applied = daemon.ctl({"apply", file});
  ASSERT_EQ(applied.status, 0) << applied.out << applied.err;
  program.go();
  const Ended ended = program.finish();
  ASSERT_EQ(ended.status, 0) << ended.err;
  auto lines = printed_lines(ended.out);
  for (std::size_t number = 0; number < watched.size(); ++number) {
    const auto wanted = expected(watched[number], functions, lines[{watched[number].event, watched[number].function}]);
    EXPECT_FALSE(wanted.empty());
    EXPECT_TRUE(eventually([&] { return shown(daemon, number) == wanted; }, 10s)) << watched[number].function;
    EXPECT_EQ(shown(daemon, number), wanted) << watched[number].event << " of " << watched[number].function;
  }
  EXPECT_EQ(daemon.metrics().sum("diagnose_events_lost_total"), 0);
  EXPECT_EQ(daemon.ctl({"detach", "--all"}).status, 0);
}

const Build builds[] = {{"exact_gcc_O0", &of_cpp},   {"exact_gcc_O2", &of_cpp},    {"exact_gcc_lto", &of_cpp},
                        {"exact_clang_O2", &of_cpp}, {"exact_libcxx_O0", &of_cpp}, {"exact_libcxx_O2", &of_cpp},
                        {"exact_rust_O0", &of_rust}, {"exact_go", &of_go}};
INSTANTIATE_TEST_SUITE_P(Builds, ExactLabels, ::testing::ValuesIn(builds),
                         [](const auto& build) { return std::string(build.param.program + sizeof("exact")); });

}  // namespace
}  // namespace diagnose::test
