// Lines of source and inlined copies count as often as the program passes them.
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

constexpr const char* counter = "instrument: {type: counter, name: hits}";

const std::string program_source = std::string(TEST_SOURCE_DIR) + "/programs/lines.cpp";

// The machines of tests/ladder/ have the program, not its source.
#define NEEDS_SOURCE() \
  if (!std::filesystem::exists(program_source)) GTEST_SKIP() << "needs " << program_source

// "lines.cpp:23": the line of tests/programs/lines.cpp that ends in `// here: NAME`.
std::string line_of(const std::string& name) {
  std::ifstream source(program_source);
  int number = 0;
  for (std::string line; std::getline(source, line);) {
    ++number;
    if (line.ends_with("// here: " + name)) return "lines.cpp:" + std::to_string(number);
  }
  throw std::runtime_error("no line `" + name + "`");
}

std::int64_t hits_of_line(const std::string& name, const std::string& count) {
  Program program({"lines", "333"});
  Rig rig("target: {pid: " + std::to_string(program.pid()) + ", line: \"" + line_of(name) + "\"}, " + counter);
  rig.attach();
  program.go();
  const std::int64_t passed = program.counts().at(count);
  EXPECT_GT(passed, 0);
  return rig.value() - passed;
}

TEST(Lines, AreCountedAsOftenAsTheyArePassed) {
  NEEDS_SOURCE();
  EXPECT_EQ(hits_of_line("odd", "odd"), 0);
}

TEST(Lines, OfAnInlinedFunctionAreCountedInEachCopy) {
  NEEDS_SOURCE();
  EXPECT_EQ(hits_of_line("inlined", "kept"), 0);
}

}  // namespace
}  // namespace diagnose::test
