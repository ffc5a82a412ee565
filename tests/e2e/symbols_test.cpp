// `caller` and `ustack`, by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/daemon.h"

namespace diagnose::test {
namespace {

using nlohmann::json;
using ::testing::MatchesRegex;

// The first record of a log of `message` at each call of shop::price.
std::string first_message(const Daemon& daemon, pid_t pid, const std::string& message) {
  Process follower = daemon.client({"attach", "--pid", std::to_string(pid), "shop::price", "--type", "log", "--event",
                                    "call", "--message", message, "--id", "said", "--follow", "--json"});
  return json::parse(follower.line()).at("message");
}

TEST(Symbols, TheCallerIsAFunctionADistanceAndAModule) {
  Process shop({program_path("shop_server")});
  shop.line();
  const Daemon daemon;
  EXPECT_THAT(first_message(daemon, shop.pid(), "by {caller}"),
              MatchesRegex("by shop::Cart::checkout\\+0x[0-9a-f]+ \\(shop_server\\)"));
}

TEST(Symbols, AStackIsTheNamesOfItsFramesInnermostFirst) {
  Process shop({program_path("shop_server")});
  shop.line();
  const Daemon daemon;
  EXPECT_THAT(first_message(daemon, shop.pid(), "{ustack}"),
              MatchesRegex("shop::price\\+0x[0-9a-f]+ \\(shop_server\\).*"));
}

}  // namespace
}  // namespace diagnose::test
