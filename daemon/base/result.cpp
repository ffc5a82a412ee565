#include "base/result.h"

#include <cerrno>
#include <system_error>

#include "base/printable.h"

namespace diagnose {

std::string Error::text() const {
  std::string text;
  for (const std::string* part : {&what, &where, &why, &mend}) {
    if (part->empty()) continue;
    if (!text.empty()) text += ": ";
    text += *part;
  }
  return printable(text);
}

std::string errno_text(int error_number) {
  constexpr int kernel_not_supported = 524;  // ENOTSUPP, which never should reach user space and does
  if (error_number == kernel_not_supported) return "this instruction cannot be probed";
  return std::generic_category().message(error_number);
}

}  // namespace diagnose
