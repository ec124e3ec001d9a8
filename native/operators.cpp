// One boxed call through c10::Dispatcher reaches every operator of the loaded library.
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <sstream>
#include <unordered_map>
#include "anomaly.h"
#include "internal.h"

namespace aamt {
namespace {

// Operators found so far; numbers are handed out once and never change.
constexpr int32_t kMostOperators = 1 << 14;
struct Operators {
  std::mutex mutex;
  std::unordered_map<std::string, int32_t> numbers;
  std::atomic<const Operator*> entries[kMostOperators] = {};
};
Operators& operators() {
  static auto* all = new Operators();
  return *all;
}

const Operator& operator_of(int32_t op) {
  const Operator* found = op >= 0 && op < kMostOperators ? operators().entries[op].load(std::memory_order_acquire) : nullptr;
  if (found == nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "no such operator number");
  return *found;
}

// An enumeration travels as an integer; LibTorch does not look whether it knows the value.
int64_t enumerator(int64_t value, const c10::Argument* argument) {
  if (argument == nullptr) return value;
  const c10::Type* type = argument->real_type().get();
  if (type->kind() == c10::TypeKind::OptionalType) type = static_cast<const c10::OptionalType*>(type)->getElementType().get();
  int64_t end;
  switch (type->kind()) {
    case c10::TypeKind::ScalarTypeType:
      return static_cast<int64_t>(dtype_of(value));
    case c10::TypeKind::LayoutType:
      end = static_cast<int64_t>(at::Layout::NumOptions);
      break;
    case c10::TypeKind::MemoryFormatType:
      end = static_cast<int64_t>(at::MemoryFormat::NumOptions);
      break;
    default:
      return value;
  }
  if (value < 0 || value >= end) throw ShimError(AAMT_ERR_ARGUMENT, "argument '" + argument->name() + "' has no such value");
  return value;
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
    int64_t tag = integer(next());
    switch (tag) {
      case AAMT_TAG_NONE:
        return c10::IValue();
      case AAMT_TAG_TENSOR:
        return tensor_of(next());
      case AAMT_TAG_INT:
        return enumerator(integer(next()), argument);
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
          int64_t kind = integer(next());
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
        int64_t type = integer(next());
        return device_of(type, integer(next()));
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

// What an operator returned, packed. The handles in it are freed again unless the caller gets them.
struct Results {
  std::vector<double> values;
  KeptHandles handles;

  // A value's own reference is dropped before `owned_bytes` looks, so that a fresh
  // tensor is recognised as fresh.
  void pack(c10::IValue value) {
    if (value.isTensor()) {
      at::Tensor tensor = std::move(value).toTensor();
      values.push_back(tensor.defined() ? AAMT_TAG_TENSOR : AAMT_TAG_NONE);
      if (tensor.defined()) pack_tensor(std::move(tensor));
    } else if (value.isTensorList()) {
      auto list = std::move(value).toTensorVector();
      pack_length(AAMT_TAG_TENSOR_LIST, list.size());
      for (auto& tensor : list) pack_tensor(std::move(tensor));
    } else if (value.isNone()) {
      values.push_back(AAMT_TAG_NONE);
    } else if (value.isBool()) {
      pack_number(AAMT_TAG_BOOL, value.toBool());
    } else if (value.isInt()) {
      pack_number(AAMT_TAG_INT, static_cast<double>(value.toInt()));
    } else if (value.isDouble()) {
      pack_number(AAMT_TAG_DOUBLE, value.toDouble());
    } else if (value.isSymInt()) {
      pack_number(AAMT_TAG_INT, static_cast<double>(value.toSymInt().guard_int(__FILE__, __LINE__)));
    } else if (value.isIntList()) {
      auto list = value.toIntVector();
      pack_length(AAMT_TAG_INT_LIST, list.size());
      for (int64_t number : list) values.push_back(static_cast<double>(number));
    } else if (value.isDevice()) {
      pack_number(AAMT_TAG_DEVICE, static_cast<double>(value.toDevice().type()));
      values.push_back(static_cast<double>(value.toDevice().index()));
    } else {
      throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "results of type " + value.tagKind() + " are not supported");
    }
  }

 private:
  void pack_tensor(at::Tensor tensor) {
    double bytes = owned_bytes(tensor);
    values.push_back(handles.keep(std::move(tensor)));
    values.push_back(bytes);
  }
  void pack_number(int tag, double number) {
    values.push_back(tag);
    values.push_back(number);
  }
  void pack_length(int tag, size_t length) { pack_number(tag, static_cast<double>(length)); }
};

// Results that found no room in the caller's buffer, until they are fetched or others take their place.
Results& pending_results() {
  thread_local Results pending;
  return pending;
}

int32_t hand_over(Results& all, double* results, int32_t capacity) {
  int32_t length = static_cast<int32_t>(all.values.size());
  if (length > capacity) return -1;
  need(results, length);
  if (length > 0) std::memcpy(results, all.values.data(), length * sizeof(double));
  all.handles.arrived();
  return length;
}

int32_t call(int32_t op, const double* arguments, int32_t length, const uint8_t* text, int32_t text_length,
             double* results, int32_t capacity, int32_t discard) {
  const auto& handle = operator_of(op).handle;
  need(arguments, length);
  need(text, text_length);
  if (!discard) need(results, capacity);
  const auto& formal = handle.schema().arguments();
  torch::jit::Stack stack;
  stack.reserve(formal.size());
  read_arguments(formal, arguments, length, text, text_length, stack);
  if (recording()) {
    call_and_record(handle, stack);
  } else if (anomaly_on()) {
    auto since = anomaly_begin();
    handle.callBoxed(stack);
    anomaly_label(stack, since);
  } else {
    handle.callBoxed(stack);
  }
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
  Results all;
  for (auto& value : stack) all.pack(std::move(value));
  int32_t length_given = hand_over(all, results, capacity);
  if (length_given >= 0) return length_given;
  pending_results() = std::move(all);
  return static_cast<int32_t>(pending_results().values.size());
}

}  // namespace

void read_arguments(const std::vector<c10::Argument>& formal, const double* arguments, int32_t length, const uint8_t* text,
                    int32_t text_length, torch::jit::Stack& stack) {
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
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_op_find(const uint8_t* name, int32_t name_length, const uint8_t* overload, int32_t overload_length) {
  AAMT_GUARD({
    register_operators();
    need(name, name_length);
    need(overload, overload_length);
    std::string base(reinterpret_cast<const char*>(name), name_length);
    std::string variant(reinterpret_cast<const char*>(overload), overload_length);
    std::string key = base + "." + variant;
    auto& all = operators();
    std::lock_guard<std::mutex> guard(all.mutex);
    auto known = all.numbers.find(key);
    if (known != all.numbers.end()) return known->second;
    auto found = c10::Dispatcher::singleton().findSchema({base, variant});
    if (!found) throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch has no operator " + key);
    int32_t number = static_cast<int32_t>(all.numbers.size());
    if (number == kMostOperators) throw ShimError(AAMT_ERR_OTHER, "more operators than this library foresees");
    auto op = std::make_unique<Operator>(Operator{*found, {}, {}, {}});
    find_typed_call(*op);
    all.numbers.emplace(std::move(key), number);
    all.entries[number].store(op.release(), std::memory_order_release);
    return number;
  })
}

int32_t aamt_op_schema(int32_t op, uint8_t* text, int32_t capacity) {
  AAMT_GUARD(std::ostringstream out; out << operator_of(op).handle.schema(); return copy_text(out.str(), text, capacity);)
}

int32_t aamt_all_schemas(uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    register_operators();
    std::ostringstream out;
    for (const auto& name : c10::Dispatcher::singleton().getAllOpNames()) {
      auto found = c10::Dispatcher::singleton().findSchema(name);
      if (found) out << found->schema() << '\n';
    }
    return copy_text(out.str(), text, capacity);
  })
}

int32_t aamt_op_pattern(int32_t op, uint8_t* text, int32_t capacity, double* defaults) {
  AAMT_GUARD({
    const auto& found = operator_of(op);
    need(defaults, static_cast<double>(found.defaults.size()));
    for (size_t i = 0; i < found.defaults.size(); i++) defaults[i] = found.defaults[i];
    return copy_text(found.pattern, text, capacity);
  })
}

double aamt_call(int32_t op, double a, double b, double c, double d, double e) {
  AAMT_GUARD({
    const auto& found = operator_of(op);
    if (found.call == nullptr || recording()) throw ShimError(AAMT_ERR_ARGUMENT, "this operator has no typed call here");
    const double arguments[] = {a, b, c, d, e};
    return found.call(found, arguments);
  })
}

double aamt_call_with_list(int32_t op, double self, const double* list, int32_t count, double b, double c, double d, double e) {
  AAMT_GUARD({
    const auto& found = operator_of(op);
    if (found.call_with_list == nullptr || recording()) throw ShimError(AAMT_ERR_ARGUMENT, "this operator has no typed call here");
    need(list, count);
    c10::SmallVector<int64_t, 8> numbers;
    for (int32_t i = 0; i < count; i++) numbers.push_back(integer(list[i]));
    const double arguments[] = {self, b, c, d, e};
    return found.call_with_list(found, arguments, numbers);
  })
}

double aamt_call_with_tensors(int32_t op, const double* handles, int32_t count, double b) {
  AAMT_GUARD({
    const auto& found = operator_of(op);
    if (found.call_with_tensors == nullptr || recording()) throw ShimError(AAMT_ERR_ARGUMENT, "this operator has no typed call here");
    need(handles, count);
    c10::SmallVector<at::Tensor, 8> tensors;
    for (int32_t i = 0; i < count; i++) tensors.push_back(tensor_of(handles[i]));
    return found.call_with_tensors(found, tensors, &b);
  })
}

int32_t aamt_op_call(int32_t op, const double* arguments, int32_t length, const uint8_t* text, int32_t text_length,
                     double* results, int32_t capacity, int32_t discard) {
  AAMT_GUARD(return call(op, arguments, length, text, text_length, results, capacity, discard);)
}

int32_t aamt_take_results(double* results, int32_t capacity) {
  AAMT_GUARD({
    auto& pending = pending_results();
    int32_t length = hand_over(pending, results, capacity);
    if (length < 0) throw ShimError(AAMT_ERR_ARGUMENT, "the result buffer is too small");
    pending.values.clear();
    return length;
  })
}
