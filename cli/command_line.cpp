#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "cli/text.h"
#include "cli/verbs.h"
#include "control/protocol.h"
#include "spec/read.h"

namespace diagnose::cli {

namespace {

constexpr int pid_most = 1 << 22;  // PID_MAX_LIMIT, linux/threads.h

// What options are read into; lives as long as the verb runs.
struct Choices {
  Settings settings;
  ExplainArguments explain;
  AttachArguments& attach = explain.attach;  // one verb is used at a time
  std::vector<std::string> paths;
  std::vector<std::string> ids;
  std::string id;
  std::string lifespan;
  std::string shell;
  std::string line;
  bool all = false;
  std::function<Exit()> run;
};

void add_common(CLI::App& app, Choices& choices) {
  app.add_option("--socket", choices.settings.socket, "The daemon's socket ($DIAGNOSE_SOCKET)")->type_name("PATH");
  app.add_flag("--json", choices.settings.json, "Print JSON");
}

// `run` must not outlive `choices`: Parsed keeps both.
CLI::App& add_verb(CLI::App& app, Choices& choices, const std::string& name, const std::string& does,
                   const std::string& example, std::function<Exit()> run) {
  CLI::App* verb = app.add_subcommand(name, does);
  verb->footer("Example:\n  " + example);
  add_common(*verb, choices);
  verb->callback([&choices, run = std::move(run)] { choices.run = run; });
  return *verb;
}

// The one that is given, or nullptr.
const CLI::Option* at_most_one(const std::vector<CLI::Option*>& options) {
  const CLI::Option* first = nullptr;
  for (const CLI::Option* one : options) {
    if (one->count() == 0) continue;
    if (first != nullptr) throw CLI::ExcludesError(first->get_name(), one->get_name());
    first = one;
  }
  return first;
}

// `function` is what stands for the function in the help.
std::vector<CLI::Option*> add_processes(CLI::App& verb, AttachArguments& to, const std::string& function) {
  std::vector<CLI::Option*> processes{
      verb.add_option("--pid", to.pids, "These processes")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CLI::Range(1, pid_most).description(""))
          ->type_name("N"),
      verb.add_option("--exe", to.exe, "Those that run this program; a glob is allowed")->type_name("PATH"),
      verb.add_option("--comm", to.comm, "Those of this name")->type_name("NAME"),
      verb.add_flag("--all", to.all, "Every one that maps --module")};
  const std::string group = "Which processes (one of these, or " + function + " as MODULE:" + function + ")";
  for (CLI::Option* one : processes) one->group(group);
  return processes;
}

void add_attach_target(CLI::App& verb, AttachArguments& to) {
  const auto processes = add_processes(verb, to, "FUNCTION");
  verb.add_option("--module", to.module, "The file that holds the place: soname, path or glob")->type_name("FILE");
  const std::vector<CLI::Option*> places{
      verb.add_option("FUNCTION", to.function,
                      "Symbol, C++ name with or without parameters, glob, re:PATTERN, or MODULE:FUNCTION"),
      verb.add_option("--usdt", to.usdt, "A marker")->type_name("PROVIDER:NAME"),
      verb.add_option("--line", to.line, "A line of source code; needs debug information")->type_name("FILE:LINE"),
      verb.add_option("--address", to.address, "One instruction, as `objdump -d` numbers it")->type_name("0xN")};
  for (std::size_t at = 1; at < places.size(); ++at) places[at]->group("In place of FUNCTION");
  verb.parse_complete_callback([processes, places] {  // excludes() would do, and fill the help with it
    at_most_one(processes);
    if (at_most_one(places) == nullptr) throw CLI::RequiredError("FUNCTION");
  });
}

void add_attach_instrument(CLI::App& verb, AttachArguments& to) {
  const auto text = [&](const char* name, std::string& value, const char* type, const char* help) {
    verb.add_option(name, value, help)->type_name(type)->group("What to measure");
  };
  text("--type", to.type, "T", "counter, gauge, histogram or log [histogram of elapsed; counter of a place]");
  text("--name", to.name, "NAME", "The metric's name [from the function's]");
  text("--value", to.value, "EXPR", "What to count, set or observe");
  text("--event", to.event, "EVENT", "call, return or end [the earliest that knows the value]");
  text("--where", to.where, "EXPR", "Only where this is true");
  text("--buckets", to.buckets, "SPEC", "exponential:START,FACTOR,COUNT, linear:START,WIDTH,COUNT, or upper bounds");
  text("--operation", to.operation, "OP", "Of a gauge: set, inc, dec, min or max");
  text("--sample", to.sample, "1/N", "Every Nth event only");
  text("--message", to.message, "TEXT", "Of a log: \"took {elapsed} for {str(arg0)}\"");
  text("--unit", to.unit, "UNIT", "seconds, bytes, ...");
  text("--help-text", to.help, "TEXT", "The metric's help");
  verb.add_option("--label", to.labels, "A label, may be repeated")
      ->type_name("NAME=EXPR")
      ->allow_extra_args(false)
      ->group("What to measure");
}

void add_attach_probe(CLI::App& verb, AttachArguments& to) {
  verb.add_option("--id", to.id, "The probe's id [from the function's name]")->type_name("ID");
  verb.add_option("--lifespan", to.lifespan, "10m, 90s, 2h, `500 hits`, forever [10m]")->type_name("D");
  verb.add_option("--return", to.return_strategy, "How returns are seen: auto, trampoline, callers or sites")
      ->type_name("M");
  verb.add_option("--aggregate", to.aggregate, "Where values are folded: auto, kernel or events")->type_name("A");
}

void add_attach(CLI::App& app, Choices& choices) {
  AttachArguments& to = choices.attach;
  CLI::App& verb = add_verb(app, choices, "attach", "Attach a probe to a function of running processes",
                            "diagnosectl attach --follow /usr/bin/redis-server:processCommand\n"
                            "  diagnosectl attach --pid 1234 --type counter --label size=arg1 --lifespan 5m malloc",
                            [&choices] { return attach(choices.attach, choices.settings); });
  add_attach_target(verb, to);
  add_attach_instrument(verb, to);
  add_attach_probe(verb, to);
  verb.add_flag("--follow", to.follow, "Draw the histogram or print the records; detach at Ctrl-C");
}

void add_explain(CLI::App& app, Choices& choices) {
  AttachArguments& to = choices.attach;
  CLI::App& verb =
      add_verb(app, choices, "explain", "What `attach` would do: sites, arguments, returns, price; attaches nothing",
               "diagnosectl explain --pid 1234 shop::Cart::checkout --value elapsed\n"
               "  diagnosectl explain --bpf specs/checkout.yaml",
               [&choices] { return explain(choices.explain, choices.settings); });
  add_attach_target(verb, to);
  add_attach_instrument(verb, to);
  add_attach_probe(verb, to);
  verb.get_option("FUNCTION")->description("As FUNCTION of `attach`; or a spec file");
  verb.add_flag("--bpf", choices.explain.bpf, "List the compiled programs");
  verb.get_option("--sample")
      ->description("Every Nth event only; a time: count calls for so long, by a probe of its own, to predict the cost")
      ->type_name("1/N|TIME");
}

CLI::Validator shells() {
  return {[](std::string& shell) {
            const bool known = shell == "bash" || shell == "zsh" || shell == "fish";
            return known ? std::string() : "`" + shell + "` is none of bash, zsh and fish";
          },
          ""};
}

void add_functions(CLI::App& app, Choices& choices) {
  AttachArguments& to = choices.attach;
  CLI::App& verb = add_verb(app, choices, "functions", "What could be probed: functions by name, with size and source",
                            "diagnosectl functions --pid 1234 'shop::*'\n"
                            "  diagnosectl functions /usr/lib/x86_64-linux-gnu/libc.so.6:'*alloc*'",
                            [&choices] { return functions(choices.attach, choices.settings); });
  const auto processes = add_processes(verb, to, "PATTERN");
  verb.parse_complete_callback([processes] { at_most_one(processes); });
  verb.add_option("--module", to.module, "Only this file: soname, path or glob")->type_name("FILE");
  verb.add_option("PATTERN", to.function, "As FUNCTION of `attach`: a name, a glob or re:PATTERN")->required();
}

void add_completion(CLI::App& app, Choices& choices) {
  CLI::App& verb = add_verb(app, choices, "completion",
                            "Print the script that makes a shell complete verbs, options, ids, functions",
                            "diagnosectl completion bash >/etc/bash_completion.d/diagnosectl",
                            [&choices] { return completion(choices.shell); });
  verb.add_option("SHELL", choices.shell, "bash, zsh or fish")->required()->check(shells());
  // What those scripts ask.
  CLI::App& asked = add_verb(app, choices, "complete", "What may follow", "diagnosectl complete bash 'diagnosectl at'",
                             [&choices] { return complete(choices.shell, choices.line, choices.settings); });
  asked.group("");
  asked.add_option("SHELL", choices.shell)->required()->check(shells());
  asked.add_option("LINE", choices.line)->required();
}

void add_others(CLI::App& app, Choices& choices) {
  add_verb(app, choices, "apply", "Add, update and remove probes until they are as the files say",
           "diagnosectl apply /etc/diagnose/specs", [&choices] { return cli::apply(choices.paths, choices.settings); })
      .add_option("FILE", choices.paths, "Spec files, or directories of them")
      ->required();

  CLI::App& detaching = add_verb(app, choices, "detach", "Take probes away; returns when the kernel has let go",
                                 "diagnosectl detach processcommand-4f1a",
                                 [&choices] { return detach(choices.ids, choices.all, choices.settings); });
  detaching.add_option("ID", choices.ids, "Ids of probes");
  detaching.add_flag("--all", choices.all, "All probes");
  detaching.parse_complete_callback([&choices] {
    if (choices.ids.empty() && !choices.all) throw CLI::RequiredError("ID or --all");
    if (!choices.ids.empty() && choices.all) throw CLI::ExcludesError("--all", "ID");
  });

  add_verb(app, choices, "list", "A line per probe", "diagnosectl list", [&choices] { return list(choices.settings); });
  add_verb(app, choices, "status", "Everything about one probe, or about all", "diagnosectl status processcommand-4f1a",
           [&choices] { return status(choices.id, choices.settings); })
      .add_option("ID", choices.id, "The probe's id");
  CLI::App& renewing =
      add_verb(app, choices, "renew", "Start a probe's lifespan again", "diagnosectl renew checkout --lifespan 1h",
               [&choices] { return renew(choices.id, choices.lifespan, choices.settings); });
  renewing.add_option("ID", choices.id, "The probe's id")->required();
  renewing.add_option("--lifespan", choices.lifespan, "A new lifespan [the same as before]")->type_name("D");
  add_verb(app, choices, "events", "Follow the records of probes until Ctrl-C",
           "diagnosectl events --json slow-queries", [&choices] { return events(choices.ids, choices.settings); })
      .add_option("ID", choices.ids, "Ids of probes [all]");
  add_verb(app, choices, "check", "Find the faults in spec files; needs no daemon", "diagnosectl check specs/*.yaml",
           [&choices] { return check(choices.paths, choices.settings); })
      .add_option("FILE", choices.paths, "Spec files")
      ->required();
  add_verb(app, choices, "version", "Versions of client, daemon and kernel", "diagnosectl version",
           [&choices] { return version(choices.settings); });
}

void describe(CLI::App& app, Choices& choices) {
  app.set_version_flag("--version", std::string("diagnosectl " DIAGNOSE_VERSION));
  app.require_subcommand(1);
  app.footer(
      "`diagnosectl VERB --help` shows the verb's options and an example.\n"
      "Exit status: 0 done, 1 refused or failed, 2 usage, 3 no daemon.");
  add_common(app, choices);
  add_attach(app, choices);
  add_explain(app, choices);
  add_functions(app, choices);
  add_others(app, choices);
  add_completion(app, choices);
}

VerbShape shape_of(const CLI::App& app, const std::string& name) {
  VerbShape shape{.name = name, .options = {}, .positionals = {}};
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    if (option->get_positional()) {
      shape.positionals.push_back(option->get_name(true));
      continue;
    }
    VerbShape::Option made{.names = {}, .takes_value = option->get_items_expected_max() > 0};
    for (const std::string& one : option->get_lnames()) made.names.push_back("--" + one);
    for (const std::string& one : option->get_snames()) made.names.push_back("-" + one);
    shape.options.push_back(std::move(made));
  }
  return shape;
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {  // hidden ones too
    names.push_back(verb->get_name());
  }
  return names;
}

void collect_options(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    collect_options(*group, names);
  }
}

Parsed usage_error(const Choices& choices, const std::string& what, const std::string& why, const std::string& mend) {
  const Error error{.what = what, .where = {}, .why = why, .mend = mend};
  const std::string text = choices.settings.json ? nlohmann::json{{"error", control::to_json(error)}}.dump(
                                                       -1, ' ', false, nlohmann::json::error_handler_t::replace)
                                                 : printable(error.text());
  return Parsed{.run = {}, .exit = Exit::usage, .output = {}, .errors = text + "\n"};
}

std::string help_hint(const std::string& verb) {
  return "see `diagnosectl " + (verb.empty() ? std::string() : verb + " ") + "--help`";
}

// The first argument that is no option and no option's value; a verb is expected there.
std::string first_word(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--socket") {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      return arguments[i];
    }
  }
  return {};
}

bool is_option(const std::string& word) {
  return word.starts_with('-');
}

Parsed unexpected_argument(const CLI::App& app, const Choices& choices) {
  const auto used = app.get_subcommands();
  const CLI::App& verb = used.empty() ? app : *used.front();
  const std::string verb_name = used.empty() ? std::string() : verb.get_name();
  const std::string what = verb_name.empty() ? "diagnosectl" : verb_name;
  std::vector<std::string> left = app.remaining(true);
  const auto option = std::ranges::find_if(left, is_option);
  if (option == left.end()) {
    return usage_error(choices, what, "unexpected argument `" + (left.empty() ? "" : left.front()) + "`",
                       help_hint(verb_name));
  }
  const std::string name = option->substr(0, option->find('='));
  std::vector<std::string> known;
  collect_options(verb, known);
  const std::string near = spec::nearest(name, known);
  return usage_error(choices, what, "no option `" + name + "`",
                     near.empty() ? help_hint(verb_name) : "did you mean `" + near + "`?");
}

// CLI11 wants them last first.
void parse_reversed(CLI::App& app, std::vector<std::string> arguments) {
  std::ranges::reverse(arguments);
  app.parse(std::move(arguments));
}

}  // namespace

std::vector<VerbShape> verb_shapes() {
  Choices choices;
  CLI::App app;
  describe(app, choices);
  std::vector<VerbShape> shapes{shape_of(app, "")};
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); })) {
    shapes.push_back(shape_of(*verb, verb->get_name()));
  }
  return shapes;
}

Parsed parse_command_line(std::vector<std::string> arguments, const std::string& default_socket) {
  const auto choices = std::make_shared<Choices>();
  choices->settings.socket = default_socket;
  CLI::App app("Measure functions of running programs, from outside.", "diagnosectl");
  describe(app, *choices);

  const std::vector<std::string> verbs = verb_names(app);
  const std::string word = first_word(arguments);
  choices->settings.json = std::ranges::find(arguments, "--json") != arguments.end();  // also for usage errors
  if (!word.empty() && std::ranges::find(verbs, word) == verbs.end()) {
    const std::string near = spec::nearest(word, verbs);
    return usage_error(*choices, "diagnosectl", "no verb `" + word + "`",
                       near.empty() ? help_hint({}) : "did you mean `" + near + "`?");
  }
  try {
    parse_reversed(app, with_joined_pids(arguments));
  } catch (const CLI::ExtrasError&) {
    return unexpected_argument(app, *choices);
  } catch (const CLI::ParseError& error) {
    std::ostringstream output;
    std::ostringstream errors;
    if (error.get_exit_code() == 0) {
      app.exit(error, output, errors);
      return Parsed{.run = {}, .exit = Exit::done, .output = output.str(), .errors = {}};
    }
    // A misspelt option is why something is missing, more often than not.
    const std::vector<std::string> left = app.remaining(true);
    if (std::ranges::any_of(left, is_option)) return unexpected_argument(app, *choices);
    if (arguments.empty()) return Parsed{.run = {}, .exit = Exit::usage, .output = {}, .errors = app.help()};
    return usage_error(*choices, word.empty() ? "diagnosectl" : word, error.what(), help_hint(word));
  }
  return Parsed{.run = [choices] { return choices->run(); }, .exit = Exit::done, .output = {}, .errors = {}};
}

}  // namespace diagnose::cli
