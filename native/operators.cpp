// One boxed call through c10::Dispatcher reaches every operator of the loaded library.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <sstream>
#include <unordered_map>
#include "internal.h"

namespace aamt {
namespace {

// Operators found so far. Numbers are handed out once and never change; a deque never moves its elements.
struct Operators {
  std::mutex mutex;
  std::deque<c10::OperatorHandle> handles;
  std::unordered_map<std::string, int32_t> numbers;
  std::atomic<int32_t> count{0};
};
Operators& operators() {
  static auto* all = new Operators();
  return *all;
}

const c10::OperatorHandle& operator_of(int32_t op) {
  auto& all = operators();
  if (op < 0 || op >= all.count.load(std::memory_order_acquire)) throw ShimError(AAMT_ERR_ARGUMENT, "no such operator number");
  return all.handles[op];
}

int64_t integer(double value) {
  if (!(value >= -9007199254740992.0 && value <= 9007199254740992.0) || value != static_cast<double>(static_cast<int64_t>(value)))
    throw ShimError(AAMT_ERR_ARGUMENT, "expected an integer, got " + std::to_string(value));
  return static_cast<int64_t>(value);
}

// Reads packed values; every step is bounds-checked, since a malformed packing must be an error, not a crash.
class Reader {
 public:
  Reader(const double* values, int32_t length, const uint8_t* text, int32_t text_length)
      : values_(values), length_(length), text_(text), text_length_(text_length) {}
  bool done() const { return at_ >= length_; }

  double next() {
    if (at_ >= length_) throw ShimError(AAMT_ERR_ARGUMENT, "packed arguments end too early");
    return values_[at_++];
  }

  c10::IValue value(const c10::Argument* argument) {
    int tag = static_cast<int>(next());
    switch (tag) {
      case AAMT_TAG_NONE:
        return c10::IValue();
      case AAMT_TAG_TENSOR:
        return optional_tensor_of(next());
      case AAMT_TAG_INT:
        return integer(next());
      case AAMT_TAG_DOUBLE:
        return next();
      case AAMT_TAG_BOOL:
        return next() != 0;
      case AAMT_TAG_INT_LIST: {
        c10::List<int64_t> list;
        for (int64_t n = count(1); n > 0; n--) list.push_back(integer(next()));
        return list;
      }
      case AAMT_TAG_TENSOR_LIST: {
        c10::List<at::Tensor> list;
        for (int64_t n = count(1); n > 0; n--) list.push_back(tensor_of(next()));
        return list;
      }
      case AAMT_TAG_OPTIONAL_TENSOR_LIST: {
        c10::List<std::optional<at::Tensor>> list;
        for (int64_t n = count(1); n > 0; n--) {
          double handle = next();
          if (handle == 0) list.push_back(std::nullopt);
          else list.push_back(tensor_of(handle));
        }
        return list;
      }
      case AAMT_TAG_DOUBLE_LIST: {
        c10::List<double> list;
        for (int64_t n = count(1); n > 0; n--) list.push_back(next());
        return list;
      }
      case AAMT_TAG_BOOL_LIST: {
        c10::List<bool> list;
        for (int64_t n = count(1); n > 0; n--) list.push_back(next() != 0);
        return list;
      }
      case AAMT_TAG_SCALAR_LIST: {
        c10::List<at::Scalar> list;
        for (int64_t n = count(2); n > 0; n--) {
          int kind = static_cast<int>(next());
          double number = next();
          if (kind == AAMT_TAG_INT) list.push_back(at::Scalar(integer(number)));
          else if (kind == AAMT_TAG_BOOL) list.push_back(at::Scalar(number != 0));
          else list.push_back(at::Scalar(number));
        }
        return list;
      }
      case AAMT_TAG_STRING: {
        int64_t offset = integer(next());
        int64_t length = integer(next());
        if (offset < 0 || length < 0 || offset + length > text_length_) throw ShimError(AAMT_ERR_ARGUMENT, "text out of range");
        return std::string(reinterpret_cast<const char*>(text_) + offset, length);
      }
      case AAMT_TAG_DEVICE: {
        auto type = static_cast<c10::DeviceType>(integer(next()));
        return c10::Device(type, static_cast<c10::DeviceIndex>(integer(next())));
      }
      case AAMT_TAG_GENERATOR:
        return generator_of(next());
      case AAMT_TAG_DEFAULT: {
        if (argument == nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "more arguments than the operator takes");
        if (!argument->default_value()) throw ShimError(AAMT_ERR_ARGUMENT, "argument '" + argument->name() + "' has no default");
        return *argument->default_value();
      }
      default:
        throw ShimError(AAMT_ERR_ARGUMENT, "unknown tag " + std::to_string(tag));
    }
  }

 private:
  int64_t count(int64_t width) {
    int64_t n = integer(next());
    if (n < 0 || n * width > length_ - at_) throw ShimError(AAMT_ERR_ARGUMENT, "packed list is longer than its buffer");
    return n;
  }
  const double* values_;
  int32_t length_;
  const uint8_t* text_;
  int32_t text_length_;
  int32_t at_ = 0;
};

void push_tensor(std::vector<double>& out, const at::Tensor& tensor) {
  double bytes = owned_bytes(tensor);
  out.push_back(keep(tensor));
  out.push_back(bytes);
}

// A stack value's own reference is dropped before `owned_bytes` looks, so a fresh tensor is recognised as fresh.
void pack(std::vector<double>& out, c10::IValue value) {
  if (value.isTensor()) {
    at::Tensor tensor = std::move(value).toTensor();
    out.push_back(tensor.defined() ? AAMT_TAG_TENSOR : AAMT_TAG_NONE);
    if (!tensor.defined()) return;
    double bytes = owned_bytes(tensor);
    out.push_back(keep(std::move(tensor)));
    out.push_back(bytes);
  } else if (value.isTensorList()) {
    auto list = std::move(value).toTensorVector();
    out.push_back(AAMT_TAG_TENSOR_LIST);
    out.push_back(static_cast<double>(list.size()));
    for (auto& tensor : list) push_tensor(out, tensor);
  } else if (value.isNone()) {
    out.push_back(AAMT_TAG_NONE);
  } else if (value.isBool()) {
    out.push_back(AAMT_TAG_BOOL);
    out.push_back(value.toBool());
  } else if (value.isInt()) {
    out.push_back(AAMT_TAG_INT);
    out.push_back(static_cast<double>(value.toInt()));
  } else if (value.isDouble()) {
    out.push_back(AAMT_TAG_DOUBLE);
    out.push_back(value.toDouble());
  } else if (value.isSymInt()) {
    out.push_back(AAMT_TAG_INT);
    out.push_back(static_cast<double>(value.toSymInt().guard_int(__FILE__, __LINE__)));
  } else if (value.isIntList()) {
    auto list = value.toIntVector();
    out.push_back(AAMT_TAG_INT_LIST);
    out.push_back(static_cast<double>(list.size()));
    for (int64_t number : list) out.push_back(static_cast<double>(number));
  } else if (value.isDevice()) {
    out.push_back(AAMT_TAG_DEVICE);
    out.push_back(static_cast<double>(value.toDevice().type()));
    out.push_back(static_cast<double>(value.toDevice().index()));
  } else {
    throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "results of type " + value.tagKind() + " are not supported");
  }
}

// Frees the handles in already packed results when a later one cannot be packed.
void drop(const std::vector<double>& out) {
  for (size_t i = 0; i < out.size();) {
    int tag = static_cast<int>(out[i]);
    if (tag == AAMT_TAG_TENSOR) {
      if (out[i + 1] != 0) release(out[i + 1]);
      i += 3;
    } else if (tag == AAMT_TAG_TENSOR_LIST) {
      size_t n = static_cast<size_t>(out[i + 1]);
      for (size_t k = 0; k < n; k++)
        if (out[i + 2 + 2 * k] != 0) release(out[i + 2 + 2 * k]);
      i += 2 + 2 * n;
    } else if (tag == AAMT_TAG_INT_LIST) {
      i += 2 + static_cast<size_t>(out[i + 1]);
    } else if (tag == AAMT_TAG_NONE) {
      i += 1;
    } else {
      i += tag == AAMT_TAG_DEVICE ? 3 : 2;
    }
  }
}

int32_t call(int32_t op, const double* arguments, int32_t length, const uint8_t* text, int32_t text_length,
             double* results, int32_t capacity, int32_t discard) {
  const auto& handle = operator_of(op);
  const auto& formal = handle.schema().arguments();
  torch::jit::Stack stack;
  stack.reserve(formal.size());
  Reader reader(arguments, length, text, text_length);
  while (!reader.done()) {
    if (stack.size() >= formal.size()) throw ShimError(AAMT_ERR_ARGUMENT, "more arguments than the operator takes");
    stack.push_back(reader.value(&formal[stack.size()]));
  }
  while (stack.size() < formal.size()) {
    const auto& argument = formal[stack.size()];
    if (!argument.default_value()) throw ShimError(AAMT_ERR_ARGUMENT, "argument '" + argument.name() + "' is missing");
    stack.push_back(*argument.default_value());
  }
  handle.callBoxed(stack);
  if (discard) return 0;
  if (stack.size() == 1 && stack[0].isTensor() && capacity >= 3) {  // by far the most frequent case
    at::Tensor tensor = std::move(stack[0]).toTensor();
    if (tensor.defined()) {
      results[2] = owned_bytes(tensor);
      results[1] = keep(std::move(tensor));
      results[0] = AAMT_TAG_TENSOR;
      return 3;
    }
    results[0] = AAMT_TAG_NONE;
    return 1;
  }
  std::vector<double> out;
  try {
    for (auto& value : stack) pack(out, std::move(value));
  } catch (...) {
    drop(out);
    throw;
  }
  return deliver(out, results, capacity);
}

}  // namespace
}  // namespace aamt

using namespace aamt;

int32_t aamt_op_find(const uint8_t* name, int32_t name_length, const uint8_t* overload, int32_t overload_length) {
  AAMT_GUARD({
    std::string base(reinterpret_cast<const char*>(name), name_length);
    std::string variant(reinterpret_cast<const char*>(overload), overload_length);
    std::string key = base + "." + variant;
    auto& all = operators();
    std::lock_guard<std::mutex> guard(all.mutex);
    auto known = all.numbers.find(key);
    if (known != all.numbers.end()) return known->second;
    auto found = c10::Dispatcher::singleton().findSchema({base, variant});
    if (!found) throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch has no operator " + key);
    int32_t number = static_cast<int32_t>(all.handles.size());
    all.handles.push_back(*found);
    all.numbers.emplace(std::move(key), number);
    all.count.store(number + 1, std::memory_order_release);
    return number;
  })
}

int32_t aamt_op_schema(int32_t op, uint8_t* text, int32_t capacity) {
  AAMT_GUARD(std::ostringstream out; out << operator_of(op).schema(); return copy_text(out.str(), text, capacity);)
}

int32_t aamt_all_schemas(uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    std::ostringstream out;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      auto found = c10::Dispatcher::singleton().findSchema(name);
      if (found) out << found->schema() << '\n';
    }
    return copy_text(out.str(), text, capacity);
  })
}

int32_t aamt_op_call(int32_t op, const double* arguments, int32_t length, const uint8_t* text, int32_t text_length,
                     double* results, int32_t capacity, int32_t discard) {
  AAMT_GUARD(return call(op, arguments, length, text, text_length, results, capacity, discard);)
}
