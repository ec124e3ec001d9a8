// Gradient checkpointing: a segment's operators are noted while it runs without gradients; a node in the
// graph stands for it, and its backward pass runs the operators again, with gradients and the same random
// numbers. All of that happens in native code, so it works on the threads of autograd's engine, which
// must never call JavaScript.
#include <ATen/DeviceAccelerator.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/ivalue_inl.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>
#include <memory>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include "internal.h"

namespace aamt {
namespace {

using torch::autograd::variable_list;

// ---- autocast as it was at an operator ----
struct AutocastMode {
  std::vector<std::tuple<at::DeviceType, bool, at::ScalarType>> devices;
  bool operator==(const AutocastMode& other) const { return devices == other.devices; }

  static AutocastMode now() {
    AutocastMode mode;
    mode.add(at::kCPU);
    if (auto type = at::accelerator::getAccelerator(false)) mode.add(*type);
    return mode;
  }
  void add(at::DeviceType type) {
    if (at::autocast::is_autocast_available(type))
      devices.emplace_back(type, at::autocast::is_autocast_enabled(type), at::autocast::get_autocast_dtype(type));
  }
  void apply() const {
    for (const auto& [type, enabled, dtype] : devices) {
      at::autocast::set_autocast_enabled(type, enabled);
      at::autocast::set_autocast_dtype(type, dtype);
    }
  }
};

// Restores autocast at the end. Its cache of converted weights is off meanwhile: the weights of a
// second run are other tensors.
struct AutocastRestorer {
  AutocastMode before = AutocastMode::now();
  bool cache = at::autocast::is_autocast_cache_enabled();
  AutocastRestorer() { at::autocast::set_autocast_cache_enabled(false); }
  ~AutocastRestorer() {
    before.apply();
    at::autocast::set_autocast_cache_enabled(cache);
  }
};

// ---- random states ----
at::Generator default_generator(c10::Device device) {
  return device.is_meta() ? at::Generator() : at::globalContext().defaultGenerator(device);
}

at::Tensor state_of(at::Generator& generator) {
  std::lock_guard<std::mutex> guard(generator.mutex());
  return generator.get_state();
}
void set_state(at::Generator& generator, const at::Tensor& state) {
  std::lock_guard<std::mutex> guard(generator.mutex());
  generator.set_state(state);
}

struct GeneratorRestorer {
  std::vector<at::Generator> generators;
  std::vector<at::Tensor> states;
  explicit GeneratorRestorer(std::vector<at::Generator> used) : generators(std::move(used)) {
    for (auto& generator : generators) states.push_back(state_of(generator));
  }
  ~GeneratorRestorer() {
    for (size_t i = 0; i < generators.size(); i++) set_state(generators[i], states[i]);
  }
};

// ---- what is noted of a segment ----
struct Argument {
  enum Kind { kValue, kTensor, kTensorList, kOptionalTensorList } kind = kValue;
  c10::IValue value;
  std::vector<int32_t> slots;  // -1 is no tensor
};

struct Tape;

// One operator, or a segment within the segment.
struct Step {
  std::optional<c10::OperatorHandle> op;
  std::vector<Argument> arguments;
  // per result its slots: one for a tensor, several for a list, none for a number
  std::vector<std::vector<int32_t>> results;
  std::shared_ptr<const Tape> segment;
  std::vector<int32_t> outer_slots;           // of the segment's externals
  bool grad_mode = true;
  int32_t autocast = 0;
};

// The steps of a segment on numbered tensors: first the externals (made elsewhere), then what the steps make.
struct Tape {
  std::vector<Step> steps;
  std::vector<AutocastMode> autocast;
  std::vector<at::Generator> generators;
  std::vector<int32_t> external_slots;
  std::vector<int32_t> output_slots;
  std::vector<bool> differentiable_outputs;
  int32_t slot_count = 0;
};

// A tape with the tensors and random states of one run.
struct Binding : torch::CustomClassHolder {
  std::shared_ptr<const Tape> tape;
  variable_list externals;              // without those that need gradients, which autograd keeps
  std::vector<int32_t> differentiable;  // indices into the externals
  std::vector<at::Tensor> states;       // per generator
};

variable_list run_segment(const std::shared_ptr<const Tape>& tape, const variable_list& externals, const variable_list* ready,
                          std::vector<at::Tensor> states);

at::Tensor in_slot(const variable_list& slots, int32_t slot) { return slot < 0 ? at::Tensor() : slots[slot]; }

void execute_operator(const Step& step, variable_list& slots) {
  torch::jit::Stack stack;
  for (const auto& argument : step.arguments) {
    if (argument.kind == Argument::kValue) {
      stack.push_back(argument.value);
    } else if (argument.kind == Argument::kTensor) {
      stack.emplace_back(in_slot(slots, argument.slots[0]));
    } else if (argument.kind == Argument::kTensorList) {
      c10::List<at::Tensor> list;
      for (int32_t slot : argument.slots) list.push_back(in_slot(slots, slot));
      stack.emplace_back(list);
    } else {
      c10::List<std::optional<at::Tensor>> list;
      for (int32_t slot : argument.slots) list.push_back(slot < 0 ? std::nullopt : std::optional<at::Tensor>(slots[slot]));
      stack.emplace_back(list);
    }
  }
  step.op->callBoxed(stack);
  for (size_t i = 0; i < step.results.size(); i++) {
    const auto& into = step.results[i];
    if (into.empty()) continue;
    if (stack[i].isTensor()) {
      if (into[0] >= 0) slots[into[0]] = stack[i].toTensor();
    } else {
      auto list = stack[i].toTensorVector();
      for (size_t k = 0; k < into.size() && k < list.size(); k++)
        if (into[k] >= 0) slots[into[k]] = list[k];
    }
  }
}

// Runs the steps; `grad` says whether gradients are recorded where they were wanted.
void execute(const Tape& tape, variable_list& slots, bool grad) {
  AutocastRestorer restorer;
  int32_t mode = -1;
  for (const auto& step : tape.steps) {
    if (step.autocast != mode) tape.autocast[mode = step.autocast].apply();
    at::AutoGradMode guard(grad && step.grad_mode);
    if (step.op) {
      execute_operator(step, slots);
      continue;
    }
    variable_list externals;
    for (int32_t slot : step.outer_slots) externals.push_back(slots[slot]);
    std::vector<at::Tensor> states;
    for (auto generator : step.segment->generators) states.push_back(state_of(generator));
    auto outputs = run_segment(step.segment, externals, nullptr, std::move(states));
    for (size_t i = 0; i < outputs.size(); i++) slots[step.results[0][i]] = outputs[i];
  }
}

variable_list outputs_of(const Tape& tape, const variable_list& slots) {
  variable_list outputs;
  for (int32_t slot : tape.output_slots) outputs.push_back(slots[slot]);
  return outputs;
}

struct SegmentFunction : torch::autograd::Function<SegmentFunction> {
  struct Run {
    c10::intrusive_ptr<Binding> binding;
    const variable_list* ready;  // outputs that are known already (the first run), or null
  };

  // A TensorList: autograd does not see the tensors of another kind of list.
  static variable_list forward(torch::autograd::AutogradContext* context, at::TensorList differentiable, Run run) {
    const auto& tape = *run.binding->tape;
    variable_list outputs;
    if (run.ready != nullptr) {
      outputs = *run.ready;
    } else {
      variable_list slots(tape.slot_count);
      place(*run.binding, differentiable, slots);
      execute(tape, slots, false);
      outputs = outputs_of(tape, slots);
    }
    variable_list constant;
    for (size_t i = 0; i < outputs.size(); i++) {
      outputs[i] = outputs[i].detach();
      if (!tape.differentiable_outputs[i]) constant.push_back(outputs[i]);
    }
    context->save_for_backward(differentiable.vec());
    context->saved_data["segment"] = c10::IValue::make_capsule(run.binding);
    context->mark_non_differentiable(constant);
    return outputs;
  }

  static variable_list backward(torch::autograd::AutogradContext* context, variable_list gradients) {
    auto saved = context->get_saved_variables();
    auto capsule = context->saved_data["segment"].toCapsule();
    const auto& binding = static_cast<const Binding&>(*capsule);
    const auto& tape = *binding.tape;
    // With createGraph the gradients depend on the externals themselves, else on copies
    // that end the second graph.
    bool twice = at::GradMode::is_enabled();
    variable_list slots(tape.slot_count);
    variable_list aliases;
    GeneratorRestorer restorer(tape.generators);
    for (size_t i = 0; i < tape.generators.size(); i++) {
      auto generator = tape.generators[i];
      set_state(generator, binding.states[i]);
    }
    {
      at::AutoGradMode guard(true);
      for (const auto& tensor : saved) aliases.push_back(twice ? tensor.view_as(tensor) : tensor.detach().requires_grad_());
      place(binding, aliases, slots);
      execute(tape, slots, true);
    }
    auto outputs = outputs_of(tape, slots);
    variable_list roots;
    variable_list seeds;
    for (size_t i = 0; i < outputs.size(); i++) {
      if (!gradients[i].defined() || !outputs[i].requires_grad()) continue;
      roots.push_back(outputs[i]);
      seeds.push_back(gradients[i]);
    }
    variable_list wanted;
    for (size_t i = 0; i < aliases.size(); i++)
      if (context->needs_input_grad(i)) wanted.push_back(aliases[i]);
    variable_list found(wanted.size());
    if (!roots.empty() && !wanted.empty()) found = torch::autograd::grad(roots, wanted, seeds, twice, twice, /*allow_unused=*/true);
    variable_list results;
    size_t next = 0;
    for (size_t i = 0; i < aliases.size(); i++) results.push_back(context->needs_input_grad(i) ? found[next++] : at::Tensor());
    results.emplace_back();  // the run itself has no gradient
    return results;
  }

  // Puts the externals into their slots, those that need gradients from `differentiable`.
  static void place(const Binding& binding, at::TensorList differentiable, variable_list& slots) {
    const auto& into = binding.tape->external_slots;
    for (size_t i = 0; i < into.size(); i++) slots[into[i]] = binding.externals[i];
    for (size_t i = 0; i < differentiable.size(); i++) slots[into[binding.differentiable[i]]] = differentiable[i];
  }
};

variable_list run_segment(const std::shared_ptr<const Tape>& tape, const variable_list& externals, const variable_list* ready,
                          std::vector<at::Tensor> states) {
  auto binding = c10::make_intrusive<Binding>();
  binding->tape = tape;
  binding->states = std::move(states);
  variable_list differentiable;
  for (size_t i = 0; i < externals.size(); i++) {
    bool needs = externals[i].requires_grad();
    binding->externals.push_back(needs ? at::Tensor() : externals[i]);
    if (!needs) continue;
    binding->differentiable.push_back(static_cast<int32_t>(i));
    differentiable.push_back(externals[i]);
  }
  return SegmentFunction::apply(at::TensorList(differentiable), SegmentFunction::Run{binding, ready});
}

// ---- noting ----
class Recorder {
 public:
  explicit Recorder(Recorder* parent) : parent_(parent), tape_(std::make_shared<Tape>()) {
    ensure(default_generator(at::kCPU));
    before_ = parent == nullptr ? at::GradMode::is_enabled() : parent->grad_mode;
    grad_mode = before_;
    at::GradMode::set_enabled(false);
  }

  bool grad_mode = true;

  void restore_grad_mode() const {
    if (parent_ == nullptr) at::GradMode::set_enabled(before_);
  }

  bool knows(const at::Tensor& tensor) {
    int32_t slot = find(tensor);
    return slot >= 0 && !is_external(slot);
  }

  void call(const c10::OperatorHandle& op, torch::jit::Stack& stack) {
    Step step;
    step.op = op;
    bool needs = false;
    for (const auto& value : stack) step.arguments.push_back(describe(value, needs));
    op.callBoxed(stack);
    for (const auto& value : stack) step.results.push_back(made(value, needs && grad_mode));
    push(std::move(step));
  }

  // Closes this segment; returns its tape and externals.
  std::shared_ptr<const Tape> close(const variable_list& outputs, std::vector<int32_t>& which) {
    for (size_t i = 0; i < outputs.size(); i++) {
      int32_t slot = find(outputs[i]);
      if (slot < 0 || is_external(slot)) continue;  // given back as it is
      which.push_back(static_cast<int32_t>(i));
      tape_->output_slots.push_back(slot);
      tape_->differentiable_outputs.push_back(needs_grad_[slot] && outputs[i].is_floating_point());
    }
    tape_->slot_count = static_cast<int32_t>(needs_grad_.size());
    return tape_;
  }
  const variable_list& externals() const { return externals_; }
  std::vector<at::Tensor> states() const { return states_; }

  // Notes a whole inner segment as one step.
  void note_segment(const std::shared_ptr<const Tape>& segment, const variable_list& externals, const variable_list& outputs) {
    Step step;
    step.segment = segment;
    bool needs = false;
    for (const auto& tensor : externals) step.outer_slots.push_back(slot_of(tensor, needs));
    step.results.emplace_back();
    for (size_t i = 0; i < outputs.size(); i++)
      step.results[0].push_back(make_slot(outputs[i], needs && grad_mode && segment->differentiable_outputs[i]));
    push(std::move(step));
  }

 private:
  struct Known {
    // keeps the address from being used again
    c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> tensor;
    int32_t slot;
  };

  bool is_external(int32_t slot) const { return external_[slot]; }

  int32_t find(const at::Tensor& tensor) {
    auto known = known_.find(tensor.unsafeGetTensorImpl());
    return known == known_.end() || known->second.tensor.expired() ? -1 : known->second.slot;
  }

  int32_t add(const at::Tensor& tensor, bool external, bool needs) {
    int32_t slot = static_cast<int32_t>(needs_grad_.size());
    needs_grad_.push_back(needs);
    external_.push_back(external);
    auto* impl = tensor.unsafeGetTensorImpl();
    known_.erase(impl);
    known_.emplace(impl, Known{c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>(tensor.getIntrusivePtr()), slot});
    return slot;
  }

  // The slot of an argument; a tensor not seen yet comes from outside.
  int32_t slot_of(const at::Tensor& tensor, bool& needs) {
    if (!tensor.defined()) return -1;
    int32_t slot = find(tensor);
    if (slot < 0) {
      slot = add(tensor, true, tensor.requires_grad());
      tape_->external_slots.push_back(slot);
      externals_.push_back(tensor);
      if (!tensor.device().is_cpu()) ensure(default_generator(tensor.device()));
    }
    needs = needs || needs_grad_[slot];
    return slot;
  }

  // The slot of a result: that of the tensor itself for in-place operators.
  int32_t make_slot(const at::Tensor& tensor, bool needs) {
    if (!tensor.defined()) return -1;
    int32_t slot = find(tensor);
    if (slot < 0) return add(tensor, false, needs);
    if (needs) needs_grad_[slot] = true;
    return slot;
  }

  Argument describe(const c10::IValue& value, bool& needs) {
    Argument argument;
    if (value.isTensor()) {
      argument.kind = Argument::kTensor;
      argument.slots.push_back(slot_of(value.toTensor(), needs));
    } else if (value.isTensorList()) {
      argument.kind = Argument::kTensorList;
      for (const auto& tensor : value.toTensorVector()) argument.slots.push_back(slot_of(tensor, needs));
    } else if (value.isOptionalTensorList()) {
      argument.kind = Argument::kOptionalTensorList;
      for (const auto& tensor : value.toOptionalTensorVector())
        argument.slots.push_back(tensor ? slot_of(*tensor, needs) : -1);
    } else {
      argument.value = value;
      if (value.isGenerator()) ensure(value.toGenerator());
      if (value.isDevice() && !value.toDevice().is_cpu()) ensure(default_generator(value.toDevice()));
    }
    return argument;
  }

  std::vector<int32_t> made(const c10::IValue& value, bool needs) {
    std::vector<int32_t> slots;
    if (value.isTensor()) slots.push_back(make_slot(value.toTensor(), needs));
    else if (value.isTensorList())
      for (const auto& tensor : value.toTensorVector()) slots.push_back(make_slot(tensor, needs));
    return slots;
  }

  void push(Step step) {
    step.grad_mode = grad_mode;
    auto mode = AutocastMode::now();
    if (tape_->autocast.empty() || !(tape_->autocast.back() == mode)) tape_->autocast.push_back(std::move(mode));
    step.autocast = static_cast<int32_t>(tape_->autocast.size()) - 1;
    tape_->steps.push_back(std::move(step));
  }

  // Keeps a generator's state as it is before its first use.
  void ensure(const at::Generator& generator) {
    if (!generator.defined()) return;
    for (const auto& known : tape_->generators)
      if (known == generator) return;
    tape_->generators.push_back(generator);
    states_.push_back(state_of(tape_->generators.back()));
    if (parent_ != nullptr) parent_->ensure(generator);
  }

  Recorder* parent_;
  std::shared_ptr<Tape> tape_;
  variable_list externals_;
  std::vector<at::Tensor> states_;
  std::vector<bool> needs_grad_;
  std::vector<bool> external_;
  std::unordered_map<c10::TensorImpl*, Known> known_;
  bool before_ = true;
};

// The segments being recorded by this thread, the innermost last.
thread_local std::vector<std::unique_ptr<Recorder>> recorders;
// How many: every call asks, and a plain number of a thread's is read sooner than a list.
thread_local size_t open_recorders = 0;

std::unique_ptr<Recorder> take_recorder() {
  if (recorders.empty()) throw ShimError(AAMT_ERR_ARGUMENT, "no segment was begun");
  auto recorder = std::move(recorders.back());
  recorders.pop_back();
  open_recorders = recorders.size();
  recorder->restore_grad_mode();
  return recorder;
}

}  // namespace

bool recording() noexcept { return open_recorders > 0; }
void call_and_record(const c10::OperatorHandle& op, torch::jit::Stack& stack) { recorders.back()->call(op, stack); }
void forbid_while_recording(const char* what) {
  if (recording()) throw ShimError(AAMT_ERR_ARGUMENT, std::string(what) + " cannot be repeated, so it is not possible within a checkpointed segment");
}
void forbid_if_recorded(const at::Tensor& tensor, const char* what) {
  if (recording() && recorders.back()->knows(tensor)) forbid_while_recording(what);
}
bool recorded_grad_mode() { return recorders.back()->grad_mode; }
void set_recorded_grad_mode(bool on) { recorders.back()->grad_mode = on; }

}  // namespace aamt

using namespace aamt;

int32_t aamt_segment_begin(void) {
  AAMT_GUARD({
    recorders.push_back(std::make_unique<Recorder>(recorders.empty() ? nullptr : recorders.back().get()));
    open_recorders = recorders.size();
    return 0;
  })
}

int32_t aamt_segment_abort(void) {
  AAMT_GUARD(take_recorder(); return 0;)
}

int32_t aamt_segment_end(const double* outputs, int32_t count, double* results) {
  AAMT_GUARD({
    auto recorder = take_recorder();
    need(results, count);
    auto all = tensors_of(outputs, count);
    std::vector<int32_t> which;
    auto tape = recorder->close(all, which);
    variable_list made;
    for (int32_t i : which) made.push_back(all[i]);
    if (!made.empty()) {
      if (recording()) recorders.back()->note_segment(tape, recorder->externals(), made);
      else made = run_segment(tape, recorder->externals(), &made, recorder->states());
    }
    for (size_t i = 0; i < which.size(); i++) all[which[i]] = made[i];
    KeptHandles handles;
    for (int32_t i = 0; i < count; i++) results[i] = handles.keep(all[i]);
    handles.arrived();
    return count;
  })
}
