// What every fuzz target has: libFuzzer (clang's -fsanitize=fuzzer) calls `fuzz` with bytes of its own making, again
// and again.  A crash, a sanitizer's complaint, a hang or a failed REQUIRE is a bug.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Said of what must hold for any input.
#define REQUIRE(what)                                                 \
  do {                                                                \
    if (!(what)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
      std::abort();                                                   \
    }                                                                 \
  } while (false)

void fuzz(std::string_view input);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
