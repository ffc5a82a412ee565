#include "target/length.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "target/code.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

// Every instruction of large libraries, hand-written and vector code included, against the disassembler.
class Lengths : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Instructions, Lengths,
                         testing::Values("libc.so.6", "libstdc++.so.6", "libcrypto.so.3", "libm.so.6"));

TEST_P(Lengths, AreThoseOfTheDisassembler) {
  const std::string path = std::string("/usr/lib/x86_64-linux-gnu/") + GetParam();
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), path);
  ASSERT_TRUE(image) << image.error().text();
  auto decoder = Decoder::make();
  std::size_t compared = 0;
  std::size_t differ = 0;
  for (const Symbol& symbol : image->symbols()) {
    if (image->refusal(symbol)) continue;
    const auto code = image->code({symbol.address, LinkAddress{raw(symbol.address) + symbol.size}});
    ASSERT_TRUE(code);
    std::span<const std::uint8_t> rest = *code;
    while (!rest.empty()) {
      const auto instruction = decoder->decode(rest, symbol.address);
      if (!instruction) break;
      ++compared;
      if (instruction_length(rest) != instruction->length && ++differ < 10) {
        ADD_FAILURE() << decoder->text(*instruction) << " " << unsigned{instruction->length} << ", not "
                      << instruction_length(rest) << ", in " << symbol.name << " at "
                      << hex(raw(symbol.address) + symbol.size - rest.size());
      }
      rest = rest.subspan(instruction->length);
    }
  }
  EXPECT_GT(compared, 10'000U);
  EXPECT_EQ(differ, 0U);
}

TEST(Length, OfBytesThatAreCutOffOrNoInstructionIsNone) {
  for (const std::vector<std::uint8_t>& bytes : std::vector<std::vector<std::uint8_t>>{
           {},
           {0xe8, 0, 0},
           {0x48},
           {0x06},
           {0x48, 0x8b},
           {0x62, 0xf1},
           {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}}) {
    EXPECT_EQ(instruction_length(bytes), 0U);
  }
}

}  // namespace
}  // namespace diagnose::target
