// What crosses to the sandboxed reader and back arrives whole, and what is no such thing is refused.
#include "target/wire.h"

#include <gtest/gtest.h>
#include <random>
#include <sys/mman.h>

#include "target/reader_wire.h"

namespace diagnose::target {
namespace {

// Fills every field that `fields` names with a value of its own.
class Fill {
 public:
  explicit Fill(const std::vector<Fd>& files) : files_(files) {}

  template <typename... T>
  void operator()(T&&... values) {
    (set(values), ...);
  }

 private:
  template <typename T>
  void set(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = true;
    } else if constexpr (wire::Listed<T>) {
      for (auto last = std::uint8_t{0}; known(T{last}); ++last) value = T{last};
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      value = static_cast<T>(++next_);
    } else {
      fields(*this, value);
    }
  }
  void set(std::string& text) { text = std::to_string(++next_) + std::string("\0\xff", 2); }
  template <typename T>
  void set(std::vector<T>& list) {
    list.resize(2);
    for (T& one : list) set(one);
  }
  template <typename T>
  void set(std::optional<T>& maybe) {
    set(maybe.emplace());
  }
  void set(wire::Descriptors<int> one) { one.of = files_[next_file_++].get(); }
  void set(wire::Descriptors<std::vector<int>> list) {
    list.of = {files_[next_file_].get(), -1, files_[next_file_ + 1].get()};
    next_file_ += 2;
  }

  const std::vector<Fd>& files_;
  std::size_t next_file_ = 0;
  std::uint64_t next_ = 0;
};

constexpr std::size_t memory = 1U << 20U;

template <typename T>
class Wire : public testing::Test {
 protected:
  Wire() {
    for (int count = 0; count < 8; ++count) files_.emplace_back(::memfd_create("file", MFD_CLOEXEC));
    Fill fill(files_);
    fill(full_);
    out_(full_);
  }

  std::vector<Fd> files_;
  T full_;
  wire::Writer out_;
};

using Messages = testing::Types<FileRequest, FileAnswer, CallersRequest, CallersAnswer, ReturnSitesRequest,
                                std::vector<ReturnSite>, TraitsRequest, Traits, DescribeRequest, DebugInfo, ListRequest,
                                ListAnswer, SymbolizeRequest, std::vector<Symbolized>, Error>;
TYPED_TEST_SUITE(Wire, Messages);

TYPED_TEST(Wire, ArrivesWhole) {
  TypeParam arrived;
  wire::Reader in(this->out_.bytes(), memory, this->files_);
  in(arrived);
  EXPECT_TRUE(in.done());
  wire::Writer again;
  again(arrived);
  EXPECT_EQ(again.bytes(), this->out_.bytes());
  EXPECT_EQ(again.descriptors(), this->out_.descriptors());
}

TYPED_TEST(Wire, CutOffAnywhereIsRefused) {
  const std::string& bytes = this->out_.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    TypeParam arrived;
    wire::Reader in(std::string_view(bytes).substr(0, size), memory, this->files_);
    in(arrived);
    EXPECT_FALSE(in.done()) << size;
  }
  const std::string longer = bytes + "x";
  TypeParam arrived;
  wire::Reader in(longer, memory, this->files_);
  in(arrived);
  EXPECT_FALSE(in.done());
}

TYPED_TEST(Wire, WithWrongBytesAnywhereIsReadOrRefused) {
  std::mt19937 random(20261128);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = this->out_.bytes();
    for (unsigned wrong = 1 + random() % 8; wrong > 0; --wrong) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    TypeParam arrived;
    wire::Reader in(bytes, memory, this->files_);
    in(arrived);
    (void)in.done();
  }
}

TEST(WireReader, RefusesListsLongerThanTheirBytesAndThanTheMemoryAllowed) {
  wire::Writer out;
  out(std::uint32_t{0xffffffff}, std::uint8_t{1});
  std::vector<Site> sites;
  wire::Reader in(out.bytes(), memory);
  in(sites);
  EXPECT_FALSE(in.ok());
  EXPECT_LE(sites.size(), 1U);

  wire::Writer much;
  much(std::vector<std::string>(10'000));
  std::vector<std::string> texts;
  wire::Reader poor(much.bytes(), 100'000);
  poor(texts);
  EXPECT_FALSE(poor.ok());
  EXPECT_LE(texts.size() * sizeof(std::string), 100'000U);
  wire::Reader rich(much.bytes(), memory);
  rich(texts);
  EXPECT_TRUE(rich.done());
}

TEST(WireReader, RefusesValuesThatAnEnumerationOrABoolDoesNotHave) {
  SiteKind kind{};
  wire::Reader in(std::string_view("\x40", 1), memory);
  in(kind);
  EXPECT_FALSE(in.ok());
  bool yes = false;
  wire::Reader other(std::string_view("\x02", 1), memory);
  other(yes);
  EXPECT_FALSE(other.ok());
}

TEST(WireReader, RefusesAFileThatDidNotCome) {
  const Fd file(::memfd_create("file", MFD_CLOEXEC));
  wire::Writer out;
  out(TraitsRequest{.fd = file.get(), .name = "n"});
  TraitsRequest request;
  wire::Reader in(out.bytes(), memory);
  in(request);
  EXPECT_FALSE(in.ok());
}

}  // namespace
}  // namespace diagnose::target
