// Functions with a backward of one's own, and hooks: both ask JavaScript when autograd meets them (turns.h).
#include <ATen/core/grad_mode.h>
#include <ATen/functorch/DynamicLayer.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/basic_ops.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <unordered_map>
#include <unordered_set>
#include "anomaly.h"
#include "turns.h"

namespace aamt {
namespace {
using torch::autograd::variable_list;

struct FunctionNode : torch::autograd::Node {
  FunctionNode(double id, std::string name, bool materialize) : asker_(id), name_(std::move(name)), materialize_(materialize) {}

  std::string name() const override { return name_; }

  void release_variables() override {
    released_ = released_ || !saved_.empty();
    saved_.clear();
  }

  void save(const at::Tensor& tensor, bool is_output) { saved_.emplace_back(tensor, is_output); }
  void describe_output(const at::Tensor& tensor) { outputs_.emplace_back(tensor); }

  variable_list saved(const NodePointer& self) {
    if (released_) throw ShimError(AAMT_ERR_OTHER, torch::autograd::ERR_BACKWARD_TWICE);
    variable_list all;
    for (const auto& one : saved_) all.push_back(one.unpack(self));
    return all;
  }

 protected:
  variable_list apply(variable_list&& gradients) override {
    if (materialize_) {
      at::OptionalDeviceGuard guard;
      for (size_t i = 0; i < outputs_.size() && i < gradients.size(); i++)
        if (!gradients[i].defined()) gradients[i] = outputs_[i].zeros(guard);
    }
    auto answer = asker_.ask(Asks::kFunction, std::move(gradients), this);
    if (answer.size() != num_outputs()) throw ShimError(AAMT_ERR_ARGUMENT, name_ + " gave another number of gradients than it has inputs");
    return answer;
  }

 private:
  Asker asker_;
  std::string name_;
  bool materialize_;
  bool released_ = false;
  std::vector<torch::autograd::SavedVariable> saved_;
  std::vector<torch::autograd::VariableInfo> outputs_;
};

// Reads the numbers of a packed call.
struct Numbers {
  const double* at;
  const double* end;
  double next() {
    if (at >= end) throw ShimError(AAMT_ERR_ARGUMENT, "packed arguments end too early");
    return *at++;
  }
  int64_t count() {
    int64_t n = integer(next());
    if (n < 0 || n > end - at) throw ShimError(AAMT_ERR_ARGUMENT, "packed list is longer than its buffer");
    return n;
  }
  variable_list tensors() {
    variable_list list;
    for (int64_t n = count(); n > 0; n--) list.push_back(tensor_of(next()));
    return list;
  }
};

struct Hook;
// Hooks by number, to take them off again.
std::mutex hooks_mutex;
std::unordered_map<double, std::weak_ptr<Hook>>& hooks() {
  static auto* all = new std::unordered_map<double, std::weak_ptr<Hook>>();
  return *all;
}

struct Hook {
  explicit Hook(double id) : asker(id), number(id) {}
  ~Hook() {
    std::lock_guard<std::mutex> lock(hooks_mutex);
    hooks().erase(number);
  }
  Asker asker;
  double number;
  std::atomic<bool> active{true};
};

struct AccumulatedHooks : torch::autograd::PostAccumulateGradHook {
  std::vector<std::shared_ptr<Hook>> hooks;
  void operator()(const at::Tensor& tensor) override {
    for (const auto& hook : hooks)
      if (hook->active) hook->asker.ask(Asks::kAccumulated, {tensor});
  }
};

std::shared_ptr<Hook> new_hook(double id) {
  auto hook = std::make_shared<Hook>(id);
  std::lock_guard<std::mutex> lock(hooks_mutex);
  hooks()[id] = hook;
  return hook;
}

// LibTorch 2.14 and newer ask for a place for the attached node, which serves hooks of Python's only.
template <class... Arguments>
auto wrap_outputs(int, const Arguments&... arguments) -> decltype(torch::autograd::_wrap_outputs(arguments...)) {
  return torch::autograd::_wrap_outputs(arguments...);
}
template <class... Arguments>
auto wrap_outputs(long, const Arguments&... arguments) {
  NodePointer attached;
  return torch::autograd::_wrap_outputs(arguments..., attached);
}

}  // namespace
}  // namespace aamt

using namespace aamt;

int32_t aamt_function_allowed(void) {
  AAMT_GUARD({
    forbid_while_recording("a function with a backward of its own");
    if (at::functorch::maybeCurrentDynamicLayer())
      throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "a function with a backward of its own is not possible within torch.func's transforms");
    return 0;
  })
}

int32_t aamt_function_apply(const double* packed, int32_t length, const uint8_t* name, int32_t name_length, double* results) {
  AAMT_GUARD({
    need(packed, length);
    need(name, name_length);
    Numbers numbers{packed, packed + length};
    double id = numbers.next();
    bool materialize = numbers.next() != 0;
    auto inputs = numbers.tensors();
    std::vector<std::optional<at::Tensor>> outputs;
    std::unordered_set<at::TensorImpl*> constant;
    for (int64_t n = numbers.count(); n > 0; n--) {
      outputs.emplace_back(tensor_of(numbers.next()));
      if (numbers.next() != 0) constant.insert(outputs.back()->unsafeGetTensorImpl());
    }
    auto saved = numbers.tensors();
    std::unordered_set<at::TensorImpl*> dirty;
    for (auto& tensor : numbers.tensors()) {
      tensor.unsafeGetTensorImpl()->bump_version();
      dirty.insert(tensor.unsafeGetTensorImpl());
    }
    need(results, static_cast<double>(outputs.size()));
    auto since = anomaly_on() ? anomaly_begin() : 0;
    bool needed = false;
    for (const auto& input : inputs) needed = needed || input.requires_grad();
    NodePointer node;
    FunctionNode* raw = nullptr;
    if (needed && at::GradMode::is_enabled()) {
      node = make_node<FunctionNode>(id, std::string(reinterpret_cast<const char*>(name), name_length), materialize);
      raw = static_cast<FunctionNode*>(node.get());
      raw->set_next_edges(torch::autograd::collect_next_edges(inputs));
    }
    auto no_forward_mode = [](const variable_list&, const variable_list&) -> variable_list {
      throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "a function with a backward of its own has no forward-mode derivative");
    };
    auto as_itself = [](const at::Tensor& tensor) { return tensor.view_as(tensor); };
    std::unordered_set<at::TensorImpl*> none;
    auto wrapped = wrap_outputs(0, inputs, constant, dirty, outputs, node, no_forward_mode, none, as_itself, false);
    if (raw != nullptr) {
      for (const auto& output : wrapped) raw->describe_output(*output);
      for (const auto& tensor : saved) {
        size_t i = 0;
        while (i < outputs.size() && !outputs[i]->is_same(tensor)) i++;
        bool is_output = i < outputs.size() && wrapped[i]->grad_fn() == node;
        raw->save(is_output ? *wrapped[i] : tensor, is_output);
      }
    }
    if (anomaly_on())
      for (const auto& output : wrapped) anomaly_label(*output, since);
    KeptHandles handles;
    for (size_t i = 0; i < wrapped.size(); i++) results[i] = handles.keep(*wrapped[i]);
    handles.arrived();
    return raw == nullptr ? 0 : 1;
  })
}

int32_t aamt_turn_saved(double* results, int32_t capacity) {
  AAMT_GUARD({
    Turn& turn = Channel::of_this_thread()->current();
    auto* node = dynamic_cast<FunctionNode*>(turn.node);
    if (node == nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "nothing was saved here");
    auto saved = node->saved(node->getptr());
    auto count = static_cast<int32_t>(saved.size());
    if (capacity < count) return count;
    need(results, count);
    KeptHandles handles;
    for (int32_t i = 0; i < count; i++) results[i] = handles.keep(std::move(saved[i]));
    handles.arrived();
    return count;
  })
}

int32_t aamt_refuse_second_derivative(const double* tensors, int32_t count, const uint8_t* text, int32_t length, double* results) {
  AAMT_GUARD({
    need(text, length);
    need(results, count);
    std::string message(reinterpret_cast<const char*>(text), length);
    KeptHandles handles;
    for (int32_t i = 0; i < count; i++) {
      auto tensor = optional_tensor_of(tensors[i]);
      if (tensor.defined()) {
        // In the graph, and an error when autograd comes by.
        at::AutoGradMode guard(true);
        tensor = tensor.detach().requires_grad_();
        auto node = make_node<torch::autograd::DelayedError>(message, 1);
        tensor = (*node)({tensor}).at(0);
      }
      results[i] = handles.keep(std::move(tensor));
    }
    handles.arrived();
    return count;
  })
}

int32_t aamt_register_hook(double handle, double id, int32_t accumulated) {
  AAMT_GUARD({
    forbid_while_recording("a hook");
    at::Tensor tensor = tensor_of(handle);
    if (!tensor.requires_grad())
      throw ShimError(AAMT_ERR_OTHER, "a hook needs a tensor that requires a gradient");
    if (!accumulated) {
      auto hook = new_hook(id);
      tensor.register_hook([hook](const at::Tensor& gradient) -> at::Tensor {
        if (!hook->active) return {};
        return hook->asker.ask(Asks::kHook, {gradient}).at(0);
      });
      return 0;
    }
    if (!tensor.is_leaf()) throw ShimError(AAMT_ERR_OTHER, "registerPostAccumulateGradHook takes leaves only");
    auto& slot = torch::autograd::impl::post_acc_grad_hooks(tensor);
    auto* present = dynamic_cast<AccumulatedHooks*>(slot.get());
    if (present == nullptr) {
      auto made = std::make_unique<AccumulatedHooks>();
      present = made.get();
      torch::autograd::impl::set_post_acc_grad_hooks(tensor, std::move(made));
    }
    present->hooks.push_back(new_hook(id));
    return 0;
  })
}

int32_t aamt_remove_hook(double id) {
  AAMT_GUARD({
    std::shared_ptr<Hook> hook;  // let go after the lock
    std::lock_guard<std::mutex> lock(hooks_mutex);
    auto found = hooks().find(id);
    if (found != hooks().end()) hook = found->second.lock();
    if (hook) hook->active = false;
    return hook ? 1 : 0;
  })
}

int32_t aamt_retain_grad(double handle) {
  AAMT_GUARD(forbid_while_recording("retainGrad"); tensor_of(handle).retain_grad(); return 0;)
}
