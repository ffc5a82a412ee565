// Places within functions: an instruction, the statements of a line, a marker.  Each is answered as a Function with
// that one site.
#pragma once

#include "base/result.h"
#include "target/answer.h"
#include "target/code.h"
#include "target/elf_image.h"

namespace diagnose::target {

// What FileReader::read() answers for any `request.by` but `function`; `image` is that of request.fd.
[[nodiscard]] Result<FileAnswer> read_places(const ElfImage& image, Decoder& decoder, const FileRequest& request);

}  // namespace diagnose::target
