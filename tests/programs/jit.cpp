// jit N: calls `helper` from its own code and, as often, from code that it writes into memory first.
#include <cstdint>
#include <cstring>
#include <sys/mman.h>

#include "tally.h"

namespace {

protocol::Tally helper_tally;

}  // namespace

extern "C" PROBED long helper(long i) {
  SAVES_A_REGISTER();
  helper_tally.enter();
  return helper_tally.leave(i * 3);
}

namespace {

using Function = long (*)(long);

// push %rbx; mov $helper, %rax; call *%rax; add $1, %rax; pop %rbx; ret
Function written() {
  void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  unsigned char code[] = {0x53, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x48, 0x83, 0xc0, 0x01, 0x5b, 0xc3};
  const auto address = reinterpret_cast<std::uintptr_t>(&helper);
  std::memcpy(code + 3, &address, sizeof(address));
  std::memcpy(page, code, sizeof(code));
  if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) return nullptr;
  return reinterpret_cast<Function>(page);
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = protocol::argument(argc, argv, 1, 200);
  const Function by_jit = written();
  if (by_jit == nullptr) return 1;
  protocol::ready();
  long results = 0;
  for (long i = 0; i < rounds; ++i) results += helper(i) + by_jit(i);
  protocol::print("helper", helper_tally);
  protocol::print("results", results);
}
