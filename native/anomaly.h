// Anomaly mode (anomaly.cpp): what a call has added to the graph is told where the call stands.
#pragma once
#include "internal.h"

namespace aamt {
bool anomaly_on() noexcept;
uint64_t anomaly_begin();  // before the call
void anomaly_label(const at::Tensor& tensor, uint64_t since);
void anomaly_label(const torch::jit::Stack& stack, uint64_t since);
}  // namespace aamt
