#include "target/dwarf_function.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/limits.h"
#include "target/calling_convention.h"
#include "target/dwarf_locations.h"
#include "target/names.h"

namespace diagnose::target {
namespace {

constexpr int scope_depth_max = 64;

bool is_parameter(Dwarf_Die die) {
  return tag_of(die) == DW_TAG_formal_parameter;
}

// Go lists its results among the parameters.
bool is_result(Dwarf_Die die) {
  return is_parameter(die) && flag(die, DW_AT_variable_parameter);
}

std::string producer_of(Dwarf_Die die) {
  const auto unit = unit_of(die);
  return unit ? text(*unit, DW_AT_producer) : std::string();
}

bool made_by_gcc(Dwarf_Die die) {
  return producer_of(die).starts_with("GNU ");
}

bool optimises(const std::string& producer) {
  const auto level = producer.rfind(" -O");
  return level != std::string::npos && producer.substr(level + 3, 1) != "0";
}

// With link-time optimisation the compiler of the source and that of the code are two.
bool is_optimised(Dwarf_Die function) {
  const std::string producer = producer_of(function);
  if (producer.starts_with("GNU ") && producer.find(" -g") != std::string::npos) {  // GCC tells its options
    return optimises(producer) || optimises(producer_of(origin_of(function)));
  }
  // Others follow the calls of a function only if they optimise it.
  return has(function, DW_AT_call_all_calls) || has(function, DW_AT_GNU_all_call_sites);
}

// Whether its unit was made with GCC's -g1, which tells of functions but nothing of their parameters: with link-time
// optimisation it may be given to the linker alone.
bool leaves_parameters_out(Dwarf_Die function) {
  const std::string producer = producer_of(function);
  if (!producer.starts_with("GNU ")) return false;
  std::istringstream options(producer);
  bool level_1 = false;
  for (std::string option; options >> option;) {  // the last one holds
    if (option == "-g" || option == "-g2" || option == "-g3" || option.starts_with("-ggdb")) level_1 = false;
    if (option == "-g1" || option == "-ggdb1") level_1 = true;
  }
  return level_1;
}

// Whether all that `told` has, and it may lack parts, stands where `planned` has it.
bool agree(const std::vector<Piece>& told, const std::vector<Piece>& planned) {
  std::uint64_t offset = 0;
  for (const Piece& piece : told) {
    std::uint64_t other_offset = 0;
    const auto other = std::find_if(planned.begin(), planned.end(), [&](const Piece& one) {
      return std::exchange(other_offset, other_offset + one.bytes) == offset;
    });
    offset += piece.bytes;
    if (piece.where == Piece::Where::gone) continue;
    if (other == planned.end() || other->where != piece.where || other->base != piece.base ||
        other->offset != piece.offset) {
      return false;
    }
  }
  return true;
}

// GCC tells the values before and after a first statement apart, others do not.
bool tells_views(Dwarf_Die variable) {
  return has(variable, DW_AT_GNU_locviews);
}

// Go leaves the padding of structs out of its pieces.
std::vector<Piece> without_gaps(const std::vector<Piece>& pieces) {
  std::vector<Piece> kept;
  std::copy_if(pieces.begin(), pieces.end(), std::back_inserter(kept),
               [](const Piece& piece) { return piece.where != Piece::Where::gone; });
  return kept;
}

bool is_constant(const Piece& piece) {
  return piece.where == Piece::Where::constant || piece.where == Piece::Where::address;
}

// Where no value can be wrong, as none is read.
bool in_vectors(const std::vector<Piece>& pieces) {
  return std::all_of(pieces.begin(), pieces.end(),
                     [](const Piece& piece) { return piece.where == Piece::Where::vector; });
}

std::string text(const std::vector<Piece>& pieces) {
  std::string said;
  for (const Piece& piece : pieces) said += (said.empty() ? "" : " and ") + text(piece);
  return said;
}

// The parameters that an out-of-line copy was declared with and lost: the order of the declaration.
std::vector<Dwarf_Die> declared_parameters(Dwarf_Die function) {
  const auto origin = reference(function, DW_AT_abstract_origin);
  std::vector<Dwarf_Die> all;
  if (!origin) return all;
  for (const Dwarf_Die child : Children(*origin)) {
    if (is_parameter(child) && all.size() < limits::debug_variables) all.push_back(child);
  }
  return all;
}

bool is_wide_integer(Dwarf_Die variable) {
  const auto type = without_typedefs(type_of(variable));
  return type && tag_of(*type) == DW_TAG_base_type && bytes_of(type).value_or(0) == 16 &&
         number(*type, DW_AT_encoding).value_or(0) != DW_ATE_float;
}

class Description {
 public:
  Description(const DwarfFunction& function, const PlaceFacts& facts, DwarfTypes& types, Described& described)
      : function_(function), facts_(facts), types_(types), described_(described) {
    viewpoint_.function = function.die;
    viewpoint_.pc = described.at;
    viewpoint_.cfa = facts.cfa;
  }

  void at_entry();
  void at_place();
  void result();

 private:
  struct Parameter {
    Dwarf_Die die{};  // of the function itself; of a lost one: the declared
    bool lost = false;
  };

  [[nodiscard]] std::vector<Parameter> parameters() const;
  [[nodiscard]] const CallPlan& plan();
  // Made by the compiler from the function that is declared, perhaps with other parameters.
  [[nodiscard]] bool is_clone() const;
  // Whether the declared types say what callers do.
  [[nodiscard]] bool keeps_convention() const;
  void place_at_entry(Variable& variable, Dwarf_Die die, const Passed* passed);
  Variable begin(Dwarf_Die die);
  void add_scope(Dwarf_Die scope, int depth, std::vector<std::vector<Variable>>& scopes);
  Variable at_pc(Dwarf_Die die);
  [[nodiscard]] bool in_prologue() const;

  const DwarfFunction& function_;
  const PlaceFacts& facts_;
  DwarfTypes& types_;
  Described& described_;
  Viewpoint viewpoint_;
  std::optional<CallPlan> plan_;
};

std::vector<Description::Parameter> Description::parameters() const {
  std::vector<Parameter> all;
  std::vector<Dwarf_Die> own;
  for (const Dwarf_Die child : Children(function_.die)) {
    if (is_parameter(child) && own.size() < limits::debug_variables) own.push_back(child);
  }
  const bool untold = own.empty() && leaves_parameters_out(function_.die);
  // As declared; a constructor's own additions (__in_chrg, __vtt_parm) only where they are passed.
  for (const Dwarf_Die declared : declared_parameters(function_.die)) {
    const auto here = std::find_if(own.begin(), own.end(), [&](Dwarf_Die die) {
      const auto origin = reference(die, DW_AT_abstract_origin);
      return origin && identity(*origin) == identity(declared);
    });
    if (here != own.end()) {
      all.push_back({*here, false});
      own.erase(here);
    } else if (!flag(declared, DW_AT_artificial) || name_of(declared) == "this") {
      all.push_back({declared, !untold});
    }
  }
  for (const Dwarf_Die die : own) all.push_back({die, false});
  return all;
}

bool Description::is_clone() const {
  return facts_.changed_signature ||
         (!facts_.has_symbol && is_optimised(function_.die) && has(function_.die, DW_AT_abstract_origin));
}

bool Description::keeps_convention() const {
  if (is_clone()) return false;
  const auto convention = number(function_.die, DW_AT_calling_convention).value_or(DW_CC_normal);
  if (convention != DW_CC_normal && convention != DW_CC_program) return false;
  if (!is_optimised(function_.die)) return true;
  // GCC names the functions whose signature it changes; LLVM changes those that only this file can call, in silence.
  if (made_by_gcc(function_.die)) return true;
  return facts_.exported && flag(function_.die, DW_AT_external);
}

const CallPlan& Description::plan() {
  if (plan_) return *plan_;
  std::vector<std::optional<Dwarf_Die>> arguments;
  std::vector<Dwarf_Die> results;
  // Records that are only declared in this unit travel as their definition says.
  const auto whole = [&](std::optional<Dwarf_Die> type) {
    const auto plain = without_typedefs(type);
    return plain && is_record(*plain) ? std::optional(types_.defined(*plain)) : type;
  };
  for (const Parameter& parameter : parameters()) {
    const auto type = whole(type_of(parameter.die));
    if (!is_result(parameter.die)) {
      arguments.push_back(type);
    } else if (type) {
      results.push_back(*type);
    }
  }
  if (const auto type = whole(type_of(function_.die))) results = {*type};
  return plan_.emplace(plan_call(language_of(function_.die), arguments, results));
}

Variable Description::begin(Dwarf_Die die) {
  Variable variable;
  variable.name = name_of(die);
  variable.type = types_.add(type_of(die));
  variable.is_parameter = is_parameter(die);
  variable.is_artificial = flag(die, DW_AT_artificial);
  return variable;
}

void Description::place_at_entry(Variable& variable, Dwarf_Die die, const Passed* passed) {
  const std::uint64_t bytes = bytes_of(type_of(die)).value_or(0);
  const Location told = locate(die, viewpoint_, bytes);
  const bool planned = passed != nullptr && !passed->pieces.empty();
  switch (told.kind) {
    case Location::Kind::exact:
      if (!planned) {
        variable.pieces = told.pieces;
      } else if (agree(told.pieces, passed->pieces) ||
                 (language_of(die) == language_go && agree(told.pieces, without_gaps(passed->pieces)))) {
        variable.pieces = passed->pieces;
      } else if (tells_views(die) || (told.whole_function && !is_constant(told.pieces.front()))) {
        variable.pieces = told.pieces;
      } else if (is_constant(told.pieces.front())) {
        variable.pieces = passed->pieces;  // what the first statement makes of it
      } else {
        variable.why = "the debug information has it in " + text(told.pieces) + ", the calling convention in " +
                       text(passed->pieces);
      }
      return;
    case Location::Kind::slot:
      if (planned) {
        variable.pieces = passed->pieces;
      } else if (passed != nullptr) {
        variable.why = passed->why.empty() ? "a type without a value" : passed->why;
      } else {
        variable.why = "it has a place on the stack, but is not there yet at the call";
      }
      return;
    case Location::Kind::computed:
    case Location::Kind::none:
      break;
  }
  // The address of a copy, as C++ passes what it cannot copy by itself, is where the value is for all of the function.
  const bool is_address = told.pieces.size() == 1 && told.pieces.front().where == Piece::Where::memory &&
                          told.pieces.front().offset == 0 && is_cpp(language_of(die)) &&
                          classify_system_v(type_of(die), true).kind == Classified::Kind::by_reference;
  // LLVM has callers pass rubbish for a parameter that the function makes no use of, and then tells no place; GCC has
  // them pass it.
  const auto origin = reference(die, DW_AT_abstract_origin);
  const auto home = origin ? unit_of(*origin) : std::nullopt;
  const auto unit = unit_of(die);
  const bool out_of_line = home && unit && identity(*home) == identity(*unit);  // elsewhere: linked together
  const bool passed_anyway = !out_of_line && (!is_optimised(function_.die) || made_by_gcc(function_.die));
  if (planned && (told.kind == Location::Kind::computed || passed_anyway || in_vectors(passed->pieces))) {
    variable.pieces = passed->pieces;
  } else if (is_address) {
    variable.pieces = told.pieces;
  } else {
    variable.why = told.why.empty() ? "optimised away" : told.why;
  }
}

void Description::at_entry() {
  viewpoint_.entry = true;
  const bool keeps = keeps_convention();
  // LLVM before 18 passes an __int128 half in a register where one is left (LLVM issue 41784): what comes behind it is
  // where the debug information says, or nowhere.
  bool as_agreed = true;
  std::size_t place = 0;
  for (const Parameter& parameter : parameters()) {
    if (is_result(parameter.die)) continue;
    Variable variable = begin(parameter.die);
    const bool agreed_before = as_agreed;
    if (parameter.lost) {
      variable.why = "optimised away";
    } else {
      if (keeps && !made_by_gcc(function_.die) && is_wide_integer(parameter.die)) {
        const auto& pieces = plan().arguments.at(place).pieces;
        as_agreed = as_agreed && !pieces.empty() && pieces.front().where == Piece::Where::reg;
      }
      place_at_entry(variable, parameter.die, keeps && as_agreed ? &plan().arguments.at(place) : nullptr);
      if (keeps && !agreed_before && !variable.why.empty()) {
        variable.why =
            "an __int128 before it does not fit the registers, and compilers differ in where what follows is";
      }
    }
    ++place;
    described_.variables.push_back(std::move(variable));
  }
}

// Between the first byte and the end of the prologue, as the line table tells it, slots are not yet written: up to the
// row that says so, or else to the second row.
bool Description::in_prologue() const {
  if (is_optimised(function_.die) || viewpoint_.pc < function_.entry) return false;
  Dwarf_Die copy = function_.die;
  Dwarf_Die unit;
  Dwarf_Lines* lines = nullptr;
  std::size_t count = 0;
  if (::dwarf_diecu(&copy, &unit, nullptr, nullptr) == nullptr) return false;
  if (::dwarf_getsrclines(&unit, &lines, &count) != 0) return false;
  std::optional<std::uint64_t> second;
  for (std::size_t at = 0; at < count; ++at) {  // by address
    Dwarf_Line* line = ::dwarf_onesrcline(lines, at);
    Dwarf_Addr address = 0;
    bool is_end = false;
    if (::dwarf_lineaddr(line, &address) != 0 || address < raw(function_.entry)) continue;
    if (address >= raw(function_.ranges.front().high)) break;
    if (::dwarf_lineprologueend(line, &is_end) == 0 && is_end) return raw(viewpoint_.pc) < address;
    if (!second && address > raw(function_.entry)) second = address;
  }
  return second && raw(viewpoint_.pc) < *second;
}

Variable Description::at_pc(Dwarf_Die die) {
  Variable variable = begin(die);
  const Location told = locate(die, viewpoint_, bytes_of(type_of(die)).value_or(0));
  if (told.kind == Location::Kind::exact) {
    variable.pieces = told.pieces;
    const bool in_memory = !told.pieces.empty() && told.pieces.front().where == Piece::Where::memory;
    if (in_memory && told.whole_function && told.pieces.front().base != register_none && in_prologue()) {
      variable.pieces.clear();
      variable.why = "it is not yet at its place on the stack here";
    }
  } else {
    variable.why = told.why.empty() ? "optimised away here" : told.why;
  }
  return variable;
}

// The variables of `scope`, and of the blocks and inlined functions in it that hold the place, inner scopes behind.
void Description::add_scope(Dwarf_Die scope, int depth, std::vector<std::vector<Variable>>& scopes) {
  std::vector<Variable> own;
  std::vector<Dwarf_Die> inner;
  for (const Dwarf_Die child : Children(scope)) {
    const int tag = tag_of(child);
    Dwarf_Die copy = child;
    if ((tag == DW_TAG_formal_parameter || tag == DW_TAG_variable) && !is_result(child)) {
      if (own.size() < limits::debug_variables && !name_of(child).empty()) own.push_back(at_pc(child));
    } else if (tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine) {
      if (::dwarf_haspc(&copy, raw(viewpoint_.pc)) > 0) inner.push_back(child);
    }
  }
  scopes.push_back(std::move(own));
  if (depth > scope_depth_max) return;
  for (const Dwarf_Die block : inner) add_scope(block, depth + 1, scopes);
}

void Description::at_place() {
  std::vector<std::vector<Variable>> scopes;
  add_scope(function_.die, 0, scopes);
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    for (Variable& variable : *scope) {
      if (described_.variables.size() < limits::debug_variables) described_.variables.push_back(std::move(variable));
    }
  }
}

void Description::result() {
  std::vector<Dwarf_Die> returned;
  std::vector<std::string> names;
  if (const auto type = type_of(function_.die)) {
    described_.result = types_.add(type);
    if (described_.result == no_type) return;
  } else {
    for (const Dwarf_Die child : Children(function_.die)) {
      if (!is_result(child)) continue;
      const auto returned_type = type_of(child);
      if (!returned_type) return;
      returned.push_back(*returned_type);
      names.push_back(name_of(child));
    }
    if (returned.empty()) return;
  }
  const bool only_arguments_change = facts_.changed_signature && !facts_.changed_result && made_by_gcc(function_.die);
  if (!keeps_convention() && !only_arguments_change) {
    described_.result_why = "the compiler may have changed or dropped the result, as only this file calls the function";
    if (!returned.empty()) described_.result = types_.add(returned.front());
    return;
  }
  const std::vector<Passed>& results = plan().results;
  if (returned.size() <= 1) {
    if (!returned.empty()) described_.result = types_.add(returned.front());
    if (results.empty()) return;
    described_.result_pieces = results.front().pieces;
    described_.result_why = results.front().why;
    return;
  }
  // Several results, as Go has them: a record of them all.
  DebugType all;
  all.kind = DebugType::Kind::record;
  all.name = "(";
  for (std::size_t at = 0; at < returned.size() && at < results.size(); ++at) {
    const TypeId type = types_.add(returned[at]);
    const std::uint64_t bytes = bytes_of(returned[at]).value_or(0);
    all.name += (at == 0 ? "" : ", ") + types_.name(returned[at]);
    const bool unnamed = names[at].empty() || names[at].starts_with("~");
    DebugType::Member member;
    member.name = unnamed ? "r" + std::to_string(at) : names[at];
    member.type = type;
    member.offset = all.bytes;
    all.members.push_back(std::move(member));
    auto& pieces = described_.result_pieces;
    pieces.insert(pieces.end(), results[at].pieces.begin(), results[at].pieces.end());
    if (!results[at].why.empty()) described_.result_why = results[at].why;
    const std::uint64_t padding = (8 - bytes % 8) % 8;
    if (padding > 0) {
      pieces.push_back({.where = Piece::Where::gone, .bytes = static_cast<std::uint32_t>(padding)});
    }
    all.bytes += bytes + padding;
  }
  all.name += ")";
  if (!described_.result_why.empty()) described_.result_pieces.clear();
  described_.result = types_.add_made(std::move(all));
}

}  // namespace

std::string function_name(Dwarf_Die function, DwarfUnits& units) {
  std::string symbol = text(function, DW_AT_linkage_name);
  if (symbol.empty()) symbol = text(function, DW_AT_MIPS_linkage_name);
  if (!symbol.empty()) return demangle(without_clones(symbol));
  return units.qualified_name(function);
}

SourcePlace declared_at(Dwarf_Die function) {
  SourcePlace place;
  if (const char* file = ::dwarf_decl_file(&function)) place.file = file;
  int line = 0;
  if (::dwarf_decl_line(&function, &line) == 0) place.line = static_cast<std::uint32_t>(std::max(line, 0));
  return place;
}

void describe_function(const DwarfFunction& function, bool entry, const PlaceFacts& facts, DwarfUnits& units,
                       DwarfTypes& types, Described& described) {
  described.function = function_name(function.die, units);
  described.low = function.entry;
  auto [file, line] = declared_at(function.die);
  described.file = std::move(file);
  described.line = line;
  described.at_entry = entry && described.at == function.entry;
  described.inlined = units.inlined_copies(function.die);
  Description description(function, facts, types, described);
  if (described.at_entry) {
    description.at_entry();
  } else {
    description.at_place();
  }
  description.result();
}

}  // namespace diagnose::target
