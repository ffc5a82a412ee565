#include "attach/installed.h"

#include <gtest/gtest.h>

namespace diagnose::attach {
namespace {

target::Site site_of(std::vector<std::uint8_t> bytes, target::Cost cost) {
  target::Site site;
  site.bytes = std::move(bytes);
  site.length = static_cast<std::uint8_t>(site.bytes.size());
  site.cost = cost;
  return site;
}

Standing standing_of(const std::vector<std::uint8_t>& memory, const target::Site& site) {
  return standing(std::as_bytes(std::span(memory)), site);
}

TEST(Standing, IsInstalledOnlyWithTheBreakpointInFrontOfTheFilesOwnBytes) {
  const target::Site endbr = site_of({0xf3, 0x0f, 0x1e, 0xfa}, target::Cost::stepped);
  EXPECT_EQ(standing_of({0xf3, 0x0f, 0x1e, 0xfa}, endbr), Standing::absent);
  EXPECT_EQ(standing_of({0xcc, 0x0f, 0x1e, 0xfa}, endbr), Standing::installed);
  EXPECT_EQ(standing_of({0xcc, 0x0f, 0x1e, 0xfb}, endbr), Standing::different);
  EXPECT_EQ(standing_of({0xf3, 0x0f, 0x1e, 0xfb}, endbr), Standing::different);
  EXPECT_EQ(standing_of({0xf3, 0x0f, 0x1e}, endbr), Standing::different);
  EXPECT_EQ(standing_of({0xcc}, site_of({0x55}, target::Cost::emulated)), Standing::installed);
}

TEST(Standing, OfAFiveByteNopIsInstalledAsACallToo) {
  const target::Site nop = site_of({0x0f, 0x1f, 0x44, 0x00, 0x00}, target::Cost::optimised);
  EXPECT_EQ(standing_of({0xe8, 0x12, 0x34, 0x56, 0x78}, nop), Standing::installed);
  EXPECT_EQ(standing_of({0xcc, 0x1f, 0x44, 0x00, 0x00}, nop), Standing::installed);
  EXPECT_EQ(standing_of({0xe9, 0x12, 0x34, 0x56, 0x78}, nop), Standing::different);
  // A call stands where the file has another instruction: that is no probe.
  const target::Site move = site_of({0xb8, 0x01, 0x00, 0x00, 0x00}, target::Cost::stepped);
  EXPECT_EQ(standing_of({0xe8, 0x12, 0x34, 0x56, 0x78}, move), Standing::different);
}

}  // namespace
}  // namespace diagnose::attach
