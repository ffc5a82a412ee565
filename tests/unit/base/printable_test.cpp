// What a program under observation calls its functions must not drive the terminal of whoever reads it.
#include "base/printable.h"

#include <gtest/gtest.h>

#include "base/result.h"

namespace diagnose {
namespace {

TEST(Printable, ControlCharactersAreShownAsTheirBytes) {
  EXPECT_EQ(printable("a\x1b[2Jb\n\r\t\x7f"), "a\\x1b[2Jb\\x0a\\x0d\\x09\\x7f");
  EXPECT_EQ(printable(std::string_view("\0\x1f ", 3)), "\\x00\\x1f ");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // U+009B is ESC [ to some terminals
}

TEST(Printable, EverythingElseStaysAsItIs) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("ns::f<int>(char const*) ~ é \xc2\xa0 \xff \xc2"),
            "ns::f<int>(char const*) ~ é \xc2\xa0 \xff \xc2");
}

TEST(Printable, AnErrorsTextIsOneLineWithoutEscapes) {
  const Error error{.what = "attach `a\nb`", .where = "/tmp/\x1b[31m", .why = "no such\x7f", .mend = "look\tthere"};
  EXPECT_EQ(error.text(), "attach `a\\x0ab`: /tmp/\\x1b[31m: no such\\x7f: look\\x09there");
}

}  // namespace
}  // namespace diagnose
