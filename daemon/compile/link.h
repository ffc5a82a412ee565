// Joins stencil functions and compiled functions into one program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <linux/bpf.h>
#include <map>
#include <optional>
#include <vector>

#include "compile/stencil.h"

namespace diagnose::compile {

// A whole program, but for the descriptors of its maps.
struct Linked {
  struct MapUse {
    std::size_t at = 0;  // index of a wide load; attach/ writes the descriptor into its `imm`
    MapRole role = MapRole::control;
    int instrument = -1;  // whose map it is, for `series` and `gauges`
  };
  std::vector<bpf_insn> instructions;
  std::vector<MapUse> maps;
  std::vector<std::uint32_t> functions;  // where each begins, ascending; 0 is the entry
};

class Linker {
 public:
  using Number = std::size_t;  // of a function

  // Values for a stencil's constants, by enum constant.
  using Constants = std::map<int, std::uint64_t>;
  // What fills a stencil's holes, by enum hole.  A hole without a function answers 1.
  using Holes = std::map<int, Number>;

  // The first function added is the program's entry.  Functions may be named as a filler before they are added, through
  // reserve().
  [[nodiscard]] Number reserve();
  Number add(const Stencil& stencil, const Holes& holes, const Constants& constants, int instrument = -1,
             std::optional<Number> as = std::nullopt);
  Number add(std::vector<bpf_insn> instructions, std::optional<Number> as = std::nullopt);
  // A function that calls each of `bodies` with its own arguments, in order.  One that is called as it is, is its own.
  struct Body {
    Number function = 0;
    bool needs_result = false;  // where the result is unknown it is counted as LOSS_RESULT instead
  };
  Number add_sequence(const std::vector<Body>& bodies);

  [[nodiscard]] Linked link() const;

 private:
  struct Piece {
    std::vector<bpf_insn> instructions;
    std::vector<std::pair<std::size_t, Number>> calls;
    std::vector<Linked::MapUse> maps;
  };
  std::vector<Piece> pieces_;
};

}  // namespace diagnose::compile
