// Texts of `functions` and `explain`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/render.h"

namespace diagnose::cli {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json function(const std::string& name, const json& file, int line, int inlined) {
  return {{"name", name}, {"size", 42},   {"module", "/usr/bin/shop"},
          {"file", file}, {"line", line}, {"inlined", inlined}};
}

TEST(FunctionsText, IsATableWithTheColumnsThatSayAnything) {
  EXPECT_EQ(functions_text({{"functions", {function("f(int)", nullptr, 0, 0), function("main", nullptr, 0, 0)}}}),
            "SIZE  MODULE         FUNCTION\n"
            "  42  /usr/bin/shop  f(int)\n"
            "  42  /usr/bin/shop  main\n");
  EXPECT_EQ(functions_text({{"functions", {function("f(int)", "shop.cc", 12, 3), function("main", nullptr, 0, 0)}}}),
            "SIZE  INLINED  SOURCE      MODULE         FUNCTION\n"
            "  42        3  shop.cc:12  /usr/bin/shop  f(int)\n"
            "  42                       /usr/bin/shop  main\n");
}

TEST(FunctionsText, ACutListSaysSo) {
  EXPECT_THAT(functions_text({{"functions", {function("f", nullptr, 0, 0)}}, {"cut", true}}),
              HasSubstr("only the first 1 are listed"));
}

json explained() {
  return {{"id", "x"},
          {"state", "armed"},
          {"target", "pid 7 call"},
          {"processes", {7}},
          {"sites",
           {{{"function", "call"},
             {"module", "/m"},
             {"address", "0x10"},
             {"kind", "entry"},
             {"cost", "emulated"},
             {"instruction", "push %rbp"}}}},
          {"return", {{"strategy", "trampoline"}, {"why", "a leaf"}}},
          {"price_ns", 400},
          {"expires", nullptr},
          {"functions",
           {{{"name", "call"},
             {"strategy", "trampoline"},
             {"why", "a leaf"},
             {"signature", "call(client *c, int flags)"},
             {"file", "server.c"},
             {"line", 3000},
             {"arguments",
              {{{"name", "c"}, {"type", "client *"}, {"place", "%rdi"}, {"why", nullptr}},
               {{"name", "flags"}, {"type", "int"}, {"place", nullptr}, {"why", "optimised away here"}}}},
             {"result", {{"type", "int"}, {"place", "%eax"}, {"why", nullptr}}},
             {"inlined", 2}}}},
          {"debug", {{{"module", "/m"}, {"source", "/m"}, {"missing", nullptr}}}},
          {"programs", {{{"role", "entry"}, {"instructions", 131}}, {{"role", "exit"}, {"instructions", 90}}}}};
}

TEST(ExplainText, HasArgumentsWithTypesAndPlaces) {
  const std::string text = explain_text(explained(), {}, {});
  EXPECT_THAT(text,
              AllOf(HasSubstr("x would be armed\n"), HasSubstr("signature  call(client *c, int flags)  server.c:3000"),
                    HasSubstr("    c       client *  %rdi\n"), HasSubstr("    flags   int       optimised away here\n"),
                    HasSubstr("    result  int       %eax\n"), HasSubstr("return     trampoline: a leaf"),
                    HasSubstr("inlined    2 copies"), HasSubstr("programs   entry 131, exit 90 instructions")));
  EXPECT_THAT(text, Not(HasSubstr("program entry\n")));
}

TEST(ExplainText, WithoutDebugInformationSaysHowArgumentsAreNamed) {
  json answer = explained();
  answer["functions"][0]["signature"] = nullptr;
  answer["debug"][0] = {{"module", "/m"}, {"source", nullptr}, {"missing", "no /usr/lib/debug/m"}};
  EXPECT_THAT(explain_text(answer, {}, {}),
              HasSubstr("/m has no debug information: arguments are arg0, arg1, .. (no /usr/lib/debug/m)"));
}

TEST(ExplainText, ListsProgramsAndTellsASampleWhereTheyAreThere) {
  json answer = explained();
  answer["programs"][0]["listing"] = "   0: r0 = 0\n";
  answer["sample"] = {{"rate", 1000.0}, {"overhead", 0.0004}};
  EXPECT_THAT(explain_text(answer, {}, {}),
              AllOf(HasSubstr("\nprogram entry\n   0: r0 = 0\n"),
                    HasSubstr("sampled    1000 calls a second, which would cost 0.04 % of a core")));
}

}  // namespace
}  // namespace diagnose::cli
