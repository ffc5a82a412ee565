// What may stand at the end of a command line that is being written.  Pure; complete.cpp decides, completion.cpp asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"

namespace diagnose::cli {

// A verb as the command line knows it.
struct VerbShape {
  struct Option {
    std::vector<std::string> names;  // "--pid"
    bool takes_value = false;
  };
  std::string name;  // empty: diagnosectl itself
  std::vector<Option> options;
  std::vector<std::string> positionals;  // "FUNCTION", "ID", "FILE", "SHELL"
};

// A command line up to the cursor, taken apart as a shell does.
struct Line {
  std::vector<std::string> words;  // without quotes and backslashes; the last is the one being written, maybe empty
  std::string last_written;        // that one as it stands there
  bool in_quotes = false;          // it begins with a quote that is still open
};
[[nodiscard]] Line split_line(std::string_view line);

// What to offer.
struct Offer {
  enum class Ask { nothing, files, pids, probes, functions } ask = Ask::nothing;  // besides `words`
  std::vector<std::string> words;
  std::string head;           // of the last word, in front of what is completed: "--pid=", "libc.so.6:"
  std::string socket;         // --socket on that line; empty: the usual
  AttachArguments arguments;  // for Ask::functions: where to look; `function` is a glob, MODULE: in front
};
[[nodiscard]] Offer offer(const std::vector<VerbShape>& verbs, const Line& line);

// As the shell wants it: bash is given the part behind the last `:` or `=` of what is written, with backslashes; the
// others quote for themselves.
[[nodiscard]] std::string candidate(std::string_view shell, const Line& line, const std::string& word);

}  // namespace diagnose::cli
