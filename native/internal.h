// What the shim's files share: the handle table, the error guard and the packing of values.
#pragma once
#include <ATen/ATen.h>
#include <string>
#include <vector>
#include "aam_torch.h"

namespace aamt {

// A mistake of the caller's that LibTorch itself does not know: a stale handle, a malformed packing.
struct ShimError : std::exception {
  int32_t code;
  std::string text;
  ShimError(int32_t code, std::string text) : code(code), text(std::move(text)) {}
  const char* what() const noexcept override { return text.c_str(); }
};

// Stores the message of the exception being handled and returns its class. Call only inside a catch block.
int32_t record_current_exception() noexcept;

// Wraps a function body: whatever is thrown becomes a status.
#define AAMT_GUARD(...)                       \
  try {                                       \
    __VA_ARGS__                               \
  } catch (...) {                             \
    return aamt::record_current_exception();  \
  }

// ---- handles ----
double keep(at::Tensor tensor);       // 0 for an undefined tensor
at::Tensor& tensor_of(double handle); // throws ShimError for a stale or invented handle
at::Tensor optional_tensor_of(double handle);  // 0 gives an undefined tensor
std::vector<at::Tensor> tensors_of(const double* handles, int32_t count);
void release(double handle);
int64_t live_handles();

double keep_generator(at::Generator generator);
at::Generator& generator_of(double handle);

// Bytes that a freshly returned tensor newly owns (0 for views and aliases): what the collector is told.
double owned_bytes(const at::Tensor& tensor);

// ---- results that did not fit ----
std::vector<double>& pending_results();
std::string& pending_text();
// Copies `values` to the caller if they fit, else keeps them for aamt_take_results. Returns their number.
int32_t deliver(std::vector<double>& values, double* results, int32_t capacity);
int32_t copy_text(const std::string& text, uint8_t* out, int32_t capacity);

}  // namespace aamt
