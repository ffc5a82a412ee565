#include "target/cfi.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <random>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "base/fd.h"
#include "target/code.h"
#include "target/effects.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

Bytes contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Fd in_memory(const Bytes& bytes) {
  Fd file(::memfd_create("elf", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

std::vector<Function> functions(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto answer = make_elf_reader()->read({.fd = file.get(), .name = path, .function = "*", .build_id = {}});
  EXPECT_TRUE(answer) << path << ": build the target `programs`";
  return answer ? answer->functions : std::vector<Function>{};
}

Result<CallFrames> frames_of(int fd) {
  const auto image = ElfImage::open(fd, "test");
  return CallFrames::open(fd, "test", image ? std::span(image->sections()) : std::span<const Section>());
}

TEST(CallFrames, SayThatAFunctionBeginsWithItsFrameRightAboveTheReturnAddress) {
  const Fd file(::open(program("symbols").c_str(), O_RDONLY | O_CLOEXEC));
  const auto frames = frames_of(file.get());
  ASSERT_TRUE(frames) << frames.error().text();
  std::size_t seen = 0;
  for (const Function& function : functions(program("symbols"))) {
    const auto rule = frames->at(function.body.low);
    if (!rule) continue;
    ++seen;
    EXPECT_EQ(*rule, CfaRule{}) << function.symbol;
  }
  EXPECT_GT(seen, 20U);
}

// The tables and the code tell the same story, instruction for instruction, as far as rsp is followed.
TEST(CallFrames, AgreeWithTheMovesOfTheStackPointer) {
  const Fd file(::open(program("symbols").c_str(), O_RDONLY | O_CLOEXEC));
  const auto frames = frames_of(file.get());
  ASSERT_TRUE(frames);
  const Bytes image = contents(program("symbols"));
  auto decoder = Decoder::make();
  std::size_t moved = 0;
  for (const Function& function : functions(program("symbols"))) {
    if (function.symbol == "_start") continue;  // nobody called it
    const std::uint64_t shift = raw(function.sites.front().address) - raw(function.sites.front().offset);
    std::int64_t offset = 8;
    for (std::uint64_t at = raw(function.body.low); at < raw(function.body.high);) {
      const auto rule = frames->at(LinkAddress{at});
      if (!rule || rule->cfa_register != register_sp) break;
      EXPECT_EQ(rule->offset, offset) << function.symbol << "+" << at - raw(function.body.low);
      const auto code = std::span(image).subspan(at - shift, raw(function.body.high) - at);
      const auto instruction = decoder->decode(code, LinkAddress{at});
      if (!instruction) break;
      const Effects done = effects(*instruction);
      if (instruction->flow != Flow::next || !done.sp_move) break;
      moved += *done.sp_move != 0;
      offset -= *done.sp_move;
      at += instruction->length;
    }
  }
  EXPECT_GT(moved, 20U);
}

TEST(CallFrames, HaveNoRuleOutsideOfTheCode) {
  const Fd file(::open(program("symbols").c_str(), O_RDONLY | O_CLOEXEC));
  const auto frames = frames_of(file.get());
  ASSERT_TRUE(frames);
  EXPECT_FALSE(frames->at(LinkAddress{0}));
  EXPECT_FALSE(frames->at(LinkAddress{~std::uint64_t{0}}));
}

TEST(CallFrames, RefuseWhatIsNoElfFile) {
  const Fd text(::open(TEST_SOURCE_DIR "/CMakeLists.txt", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(frames_of(text.get()));
  EXPECT_FALSE(frames_of(-1));
}

TEST(CallFrames, KnowAFrameWhoseAddressIsKeptInMemoryAndReadDebugFrame) {
  const std::string path = program("frames");
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto frames = frames_of(file.get());
  ASSERT_TRUE(frames);
  constexpr std::uint8_t rbp = 5;
  for (const Function& function : functions(path)) {
    if (function.symbol != "realigned") continue;
    EXPECT_EQ(frames->at(function.body.low), CfaRule{});
    bool indirect = false;
    for (std::uint64_t at = raw(function.body.low); at < raw(function.body.high); ++at) {
      const auto rule = frames->at(LinkAddress{at});
      ASSERT_TRUE(rule);
      if (!rule->indirect) continue;
      indirect = true;
      EXPECT_EQ(rule->cfa_register, rbp);
      EXPECT_LT(rule->offset, 0);
    }
    EXPECT_TRUE(indirect);
    return;
  }
  FAIL() << "no function `realigned`";
}

struct Part {
  std::size_t offset = 0, size = 0;
};

Part section(const Bytes& image, std::string_view wanted) {
  Elf64_Ehdr header{};
  std::memcpy(&header, image.data(), sizeof header);
  const auto at = [&](std::size_t index) {
    Elf64_Shdr found{};
    std::memcpy(&found, image.data() + header.e_shoff + index * sizeof found, sizeof found);
    return found;
  };
  const Elf64_Shdr names = at(header.e_shstrndx);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const Elf64_Shdr candidate = at(i);
    if (wanted == reinterpret_cast<const char*>(image.data() + names.sh_offset + candidate.sh_name)) {
      return {candidate.sh_offset, candidate.sh_size};
    }
  }
  return {};
}

void ask_everywhere(const Bytes& image, const std::vector<Function>& all) {
  const Fd file = in_memory(image);
  const auto frames = frames_of(file.get());
  if (!frames) return;
  for (const Function& function : all) {
    for (std::uint64_t at = raw(function.body.low); at < raw(function.body.high); at += 5) {
      std::ignore = frames->at(LinkAddress{at});
    }
  }
}

TEST(CallFrames, SurviveTablesThatAreCutOff) {
  const Bytes image = contents(program("tails"));
  const auto all = functions(program("tails"));
  const Part table = section(image, ".eh_frame");
  ASSERT_GT(table.size, 0U);
  for (std::size_t cut = 0; cut < table.size; cut += 7) {
    ask_everywhere({image.begin(), image.begin() + static_cast<std::ptrdiff_t>(table.offset + cut)}, all);
  }
}

TEST(CallFrames, SurviveRandomTables) {
  const Bytes image = contents(program("tails"));
  const auto all = functions(program("tails"));
  std::mt19937 random(7);
  for (const char* name : {".eh_frame", ".eh_frame_hdr"}) {
    const Part table = section(image, name);
    ASSERT_GT(table.size, 0U);
    for (int round = 0; round < 200; ++round) {
      Bytes broken = image;
      const std::size_t changes = round % 2 == 0 ? 1 + random() % 8 : table.size;
      for (std::size_t i = 0; i < changes; ++i) {
        broken[table.offset + random() % table.size] = static_cast<std::uint8_t>(random());
      }
      ask_everywhere(broken, all);
    }
  }
}

}  // namespace
}  // namespace diagnose::target
