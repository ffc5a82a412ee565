// Inlined copies of functions as places to probe.
#pragma once

#include "target/answer.h"
#include "target/code.h"
#include "target/elf_image.h"
#include "target/pattern.h"

namespace diagnose::target {

// Adds to `answer` each copy of a function that `pattern` matches, as a function of one site at the copy's entry, and
// to `answer.refused` those whose hits might not be as many as the calls that they stand for.  Nothing where there is
// no debug information.
void add_inlined(const ElfImage& image, Decoder& decoder, const FileRequest& request, const FunctionPattern& pattern,
                 FileAnswer& answer);

}  // namespace diagnose::target
