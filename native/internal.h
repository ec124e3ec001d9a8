// What the shim's files share: the handle table, the error guard and checks of what crosses the border.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <string>
#include <vector>
#include "aam_torch.h"

namespace torch {
class Library;
}

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

// ---- checks: LibTorch trusts what these let pass ----

// A buffer of `count` elements; null is allowed for none.
inline void need(const void* pointer, double count) {
  if (!(count >= 0)) throw ShimError(AAMT_ERR_ARGUMENT, "a length is negative or not a number");
  if (pointer == nullptr && count > 0) throw ShimError(AAMT_ERR_ARGUMENT, "a buffer is missing");
}
// An integer that a double holds exactly.
int64_t integer(double value);
// An integer where the number is one, as the caller's language knows only one kind of number.
at::Scalar scalar(double value);
size_t byte_count(double value);
at::ScalarType dtype_of(int64_t code);
c10::DeviceType device_type_of(int64_t type);
c10::Device device_of(int64_t type, int64_t index);

// ---- handles ----
double keep(at::Tensor tensor);      // 0 for an undefined tensor
at::Tensor tensor_of(double handle); // throws ShimError for a stale or invented handle
at::Tensor optional_tensor_of(double handle);  // 0 gives an undefined tensor
std::vector<at::Tensor> tensors_of(const double* handles, int32_t count);
std::vector<at::Tensor> optional_tensors_of(const double* handles, int32_t count);
bool release(double handle) noexcept;  // false for a handle that names nothing

double keep_generator(at::Generator generator);
at::Generator generator_of(double handle);

// Bytes that a freshly returned tensor newly owns (0 for views and aliases): what the collector is told.
double owned_bytes(const at::Tensor& tensor);

// Handles that are on their way to the caller: freed again unless they arrive.
class KeptHandles {
 public:
  KeptHandles() = default;
  KeptHandles(KeptHandles&&) = default;
  KeptHandles& operator=(KeptHandles&& other) {
    handles_.swap(other.handles_);
    return *this;
  }
  ~KeptHandles();
  double keep(at::Tensor tensor);
  void arrived() { handles_.clear(); }

 private:
  std::vector<double> handles_;
};

// ---- operators ----
// A call without boxing: the arguments as doubles, one each (a handle, a number, 0 or
// 1). The result's handle.
struct Operator;
using TypedCall = double (*)(const Operator& op, const double* arguments);
// The same with one list of integers after the first tensor.
using TypedListCall = double (*)(const Operator& op, const double* arguments, at::ArrayRef<int64_t> list);
// With a list of tensors as the first argument.
using TypedTensorsCall = double (*)(const Operator& op, at::TensorList tensors, const double* arguments);

struct Operator {
  c10::OperatorHandle handle;
  std::string pattern;           // one letter per argument (see typed.cpp); empty: boxed calls only
  std::vector<double> defaults;  // of the arguments of the pattern; NaN where there is none
  c10::DispatchKeySet layers_of_autograd;  // what is left out where nothing needs gradients
  const void* typed = nullptr;
  TypedCall call = nullptr;
  TypedListCall call_with_list = nullptr;
  TypedTensorsCall call_with_tensors = nullptr;
};
// Unpacks the arguments of a call behind those that the stack has already; missing ones
// are the schema's defaults.
void read_arguments(const std::vector<c10::Argument>& formal, const double* arguments, int32_t length, const uint8_t* text,
                    int32_t text_length, torch::jit::Stack& stack);
// Chooses the typed call that fits the schema, if there is one.
void find_typed_call(Operator& op);

// Makes the library's own operators (namespace aamt, see transformerLayer.cpp) known to LibTorch;
// doing it again is harmless.
void register_operators();
void define_word_sums(torch::Library& library);

// ---- segments whose values are computed again (checkpoint.cpp) ----
bool recording() noexcept;
// Calls the operator and notes it for the segment being recorded.
void call_and_record(const c10::OperatorHandle& op, torch::jit::Stack& stack);
// Throws if a segment is being recorded: `what` could not be repeated.
void forbid_while_recording(const char* what);
void forbid_if_recorded(const at::Tensor& tensor, const char* what);
bool recorded_grad_mode();
void set_recorded_grad_mode(bool on);

int32_t copy_text(const std::string& text, uint8_t* out, int32_t capacity);

}  // namespace aamt
