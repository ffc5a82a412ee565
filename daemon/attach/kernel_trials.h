// The questions of kernel.h, put to the running kernel.
#pragma once

#include <memory>

#include "attach/kernel.h"

struct btf;

namespace diagnose::attach {

class RunningKernel : public KernelTrials {
 public:
  RunningKernel();  // reads the kernel's BTF, some 5 MB, and lets go of it at the end
  ~RunningKernel() override;

  [[nodiscard]] std::string release() const override { return kernel_release(); }
  [[nodiscard]] bool has_types() const override { return types_ != nullptr; }
  [[nodiscard]] std::optional<std::uint32_t> attach_type(const std::string& name) const override;
  [[nodiscard]] int load(std::uint32_t attach_type) const override;
  [[nodiscard]] int link_directory(std::uint32_t attach_type, std::uint32_t pid) const override;
  [[nodiscard]] bool has_helper(std::uint32_t helper) const override;
  [[nodiscard]] Tried system_call(long number) const override;
  [[nodiscard]] std::optional<PerfUprobes> perf_uprobes() const override;

 private:
  struct Free {
    void operator()(btf* types) const;
  };
  std::unique_ptr<btf, Free> types_;
};

}  // namespace diagnose::attach
