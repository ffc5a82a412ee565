// untouched N: gives `say` N strings that are not in memory: each lies in a page of a file of its own that was never
// touched or has been dropped, and one in memory that belongs to nobody.
#include <cstring>
#include <string>
#include <sys/mman.h>

#include "tally.h"

namespace {

protocol::Tally say_tally;
constexpr long page_bytes = 4096;

}  // namespace

// Does not look at the text, so that the page stays where it is.
extern "C" PROBED long say(const char* text) {
  SAVES_A_REGISTER();
  say_tally.enter();
  asm volatile("" : "+r"(text));
  return say_tally.leave(text == nullptr ? 0 : 1);
}

int main(int argc, char** argv) {
  const long pages = protocol::argument(argc, argv, 1, 50);
  std::FILE* file = std::tmpfile();
  if (file == nullptr) return 1;
  std::string page(page_bytes, '\0');
  std::memcpy(page.data(), "hidden", 6);
  for (long i = 0; i < pages; ++i) std::fwrite(page.data(), 1, page.size(), file);
  std::fflush(file);
  const auto bytes = static_cast<std::size_t>(pages * page_bytes);
  auto* shared = static_cast<char*>(mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fileno(file), 0));
  auto* dropped = static_cast<char*>(mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fileno(file), 0));
  auto* nobodys = static_cast<char*>(mmap(nullptr, page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (shared == MAP_FAILED || dropped == MAP_FAILED || nobodys == MAP_FAILED) return 1;
  long sum = 0;
  for (long i = 0; i < pages; ++i) sum += dropped[i * page_bytes];
  madvise(dropped, bytes, MADV_DONTNEED);
  protocol::ready();
  for (long i = 0; i < pages; ++i) sum += say(shared + i * page_bytes) + say(dropped + i * page_bytes);
  sum += say(nobodys);
  protocol::print("say", say_tally);
  protocol::print("readable", 2 * pages);
  protocol::print("sum", sum);
}
