// What stands in memory is read back from running programs.
#include "attach/installed.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

attach::Standings standings_in(const Rig& rig, pid_t pid) {
  const target::Module& module = rig.resolution().modules.at(0);
  const auto read = attach::standings(target::ProcFs(), pid, module.device, module.inode, module.functions);
  if (!read) throw std::runtime_error(read.error().text());
  return *read;
}

TEST(Installed, ABreakpointIsReadBackFromMemoryWhileItStandsAndNotAfter) {
  Program program({"threads", "2", "100"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: histogram, name: times}");
  rig.attach();
  const attach::Standings attached = standings_in(rig, program.pid());
  EXPECT_GT(attached.installed, 1U);
  EXPECT_EQ(attached.absent + attached.different + attached.unmapped, 0U);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 200);
  rig.detach();
}

TEST(Installed, WithoutLinksEverySiteIsAbsentAndTheCodeTheSame) {
  Program program({"threads", "2", "100"});
  Rig rig("target: {" + target_of(program, "work") + "}, instrument: {type: counter, name: calls}");
  rig.attach();
  rig.detach();
  const attach::Standings detached = standings_in(rig, program.pid());
  EXPECT_EQ(detached.installed + detached.different + detached.unmapped, 0U);
  const target::Module& module = rig.resolution().modules.at(0);
  const target::ProcFs proc;
  EXPECT_TRUE(attach::same_code(proc, program.pid(), module.device, module.inode, module.functions, module.path));

  // Somebody patches the process: another first byte of the function.
  std::vector<target::Function> other = module.functions;
  other.at(0).sites.at(0).bytes.back() = static_cast<std::uint8_t>(other.at(0).sites.at(0).bytes.back() ^ 0x40U);
  const auto refused = attach::same_code(proc, program.pid(), module.device, module.inode, other, module.path);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("memory differs from the file"), std::string::npos) << refused.error().text();
}

}  // namespace
}  // namespace diagnose::test
