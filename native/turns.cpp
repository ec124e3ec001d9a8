#include "turns.h"
#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/autograd.h>
#include <cfenv>
#include <thread>

namespace aamt {
namespace {

std::optional<c10::Stream> current_stream() {
  auto type = at::getAccelerator();
  if (!type) return std::nullopt;
  c10::impl::VirtualGuardImpl guard(*type);
  if (guard.deviceCount() == 0) return std::nullopt;
  return guard.getStream(guard.getDevice());
}

std::optional<c10::Stream> exchange_stream(const std::optional<c10::Stream>& stream) {
  if (!stream) return std::nullopt;
  c10::impl::VirtualGuardImpl guard(stream->device_type());
  guard.setDevice(stream->device());
  return guard.exchangeStream(*stream);
}

// A thread that does one piece of work after another. It keeps its own team of threads
// (OpenMP), so it is kept, too.
class Helper {
 public:
  void give(std::function<void()> work) {
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
    std::lock_guard<std::mutex> lock(mutex_);
    work_ = std::move(work);
    wake_.notify_one();
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return work_ != nullptr; });
      auto work = std::move(work_);
      work_ = nullptr;
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::function<void()> work_;
  std::thread thread_;
};

// Never destroyed, as their threads never end. One is enough for a thread of
// JavaScript's: it waits meanwhile.
std::mutex helpers_mutex;
std::vector<Helper*> idle_helpers;

Helper* take_helper() {
  std::lock_guard<std::mutex> lock(helpers_mutex);
  if (idle_helpers.empty()) return new Helper();
  Helper* helper = idle_helpers.back();
  idle_helpers.pop_back();
  return helper;
}

void give_back(Helper* helper) {
  std::lock_guard<std::mutex> lock(helpers_mutex);
  idle_helpers.push_back(helper);
}

struct ChannelOfThread {
  std::shared_ptr<Channel> channel = std::make_shared<Channel>();
  ~ChannelOfThread() { channel->close(); }
};

constexpr const char* kNoAnswer =
    "a function or hook written in JavaScript can be called only on the thread that made it, by a backward pass that runs there";

}  // namespace

std::atomic<int64_t> Asker::live{0};

const std::shared_ptr<Channel>& Channel::of_this_thread() {
  thread_local ChannelOfThread own;
  return own.channel;
}

void Channel::ask(Turn& turn) {
  turn.grad_mode = at::GradMode::is_enabled();
  turn.stream = current_stream();
  std::unique_lock<std::mutex> lock(mutex_);
  if (closed_ || jobs_.empty()) throw ShimError(AAMT_ERR_ARGUMENT, kNoAnswer);
  questions_.push_back(&turn);
  wake_.notify_one();
  for (;;) {
    turn.wake.wait(lock, [&] { return turn.answered || turn.nested != nullptr; });
    if (turn.nested == nullptr) break;
    Job* job = turn.nested;
    turn.nested = nullptr;
    lock.unlock();
    run(*job);
    lock.lock();
    job->done = true;
    wake_.notify_one();
  }
  if (turn.failed) throw ShimError(AAMT_ERR_OTHER, closed_ ? kNoAnswer : "JavaScript failed in the backward pass");
}

// The work's own exceptions are kept for JavaScript's thread.
void Channel::run(Job& job) {
  try {
    job.work();
  } catch (...) {
    job.error = std::current_exception();
  }
}

int32_t Channel::start(std::unique_ptr<Job> job) {
  Job* raw = job.get();
  std::unique_lock<std::mutex> lock(mutex_);
  if (!answering_.empty()) {
    if (answering_.back()->asks == Asks::kAccumulated)
      throw ShimError(AAMT_ERR_ARGUMENT, "no backward pass can run within a hook of registerPostAccumulateGradHook: its leaf is locked");
    // On the thread that asked: an accelerator's thread would wait for itself otherwise. Autograd
    // knows such nested passes.
    jobs_.push_back(std::move(job));
    answering_.back()->nested = raw;
    answering_.back()->wake.notify_one();
    lock.unlock();
    return wait();
  }
  jobs_.push_back(std::move(job));
  lock.unlock();
  Helper* helper = take_helper();
  auto state = std::make_shared<at::ThreadLocalState>();
  auto environment = std::make_shared<std::fenv_t>();
  std::fegetenv(environment.get());
  helper->give([this, raw, helper, state, environment, stream = current_stream(), threads = at::get_num_threads()] {
    {
      std::fesetenv(environment.get());
      if (at::get_num_threads() != threads) at::set_num_threads(threads);
      at::ThreadLocalStateGuard guard(*state);
      auto outer = exchange_stream(stream);
      run(*raw);
      exchange_stream(outer);
    }
    give_back(helper);
    std::lock_guard<std::mutex> held(mutex_);
    raw->done = true;
    wake_.notify_one();
  });
  return wait();
}

int32_t Channel::wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  Job& job = *jobs_.back();
  wake_.wait(lock, [&] { return job.done || !questions_.empty(); });
  if (!questions_.empty()) {
    Turn* turn = questions_.front();
    questions_.pop_front();
    answering_.push_back(turn);
    lock.unlock();
    turn->outer_grad_mode = at::GradMode::is_enabled();
    at::GradMode::set_enabled(turn->grad_mode);
    turn->outer_stream = exchange_stream(turn->stream);
    return 1;
  }
  auto finished = std::move(jobs_.back());
  jobs_.pop_back();
  lock.unlock();
  found_ = std::move(finished->found);
  if (finished->error) std::rethrow_exception(finished->error);
  return 0;
}

Turn& Channel::current() {
  if (answering_.empty()) throw ShimError(AAMT_ERR_ARGUMENT, "autograd has asked nothing");
  return *answering_.back();
}

int32_t Channel::go_on(bool failed) {
  Turn& turn = current();
  at::GradMode::set_enabled(turn.outer_grad_mode);
  exchange_stream(turn.outer_stream);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    answering_.pop_back();
    turn.failed = failed;
    turn.answered = true;
    turn.wake.notify_one();
  }
  return wait();
}

void Channel::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  std::vector<Turn*> waiting(answering_);
  waiting.insert(waiting.end(), questions_.begin(), questions_.end());
  for (Turn* turn : waiting) {
    turn->failed = turn->answered = true;
    turn->wake.notify_one();
  }
}

void Channel::forget(double id) {
  std::lock_guard<std::mutex> lock(forgotten_mutex_);
  forgotten_.push_back(id);
}

int32_t Channel::forgotten(double* ids, int32_t capacity) {
  std::lock_guard<std::mutex> lock(forgotten_mutex_);
  int32_t count = 0;
  while (count < capacity && !forgotten_.empty()) {
    ids[count++] = forgotten_.back();
    forgotten_.pop_back();
  }
  return count;
}

torch::autograd::variable_list Asker::ask(Asks asks, torch::autograd::variable_list given, torch::autograd::Node* node) const {
  Turn turn;
  turn.asks = asks;
  turn.id = id_;
  turn.node = node;
  for (size_t i = 0; node != nullptr && i < node->num_outputs(); i++) turn.wanted.push_back(node->task_should_compute_output(i));
  turn.given = std::move(given);
  channel_->ask(turn);
  return std::move(turn.answer);
}

}  // namespace aamt

using namespace aamt;
using torch::autograd::variable_list;

double aamt_turns_id(void) {
  static std::atomic<int64_t> last{0};
  return static_cast<double>(++last);
}

int32_t aamt_turns_needed(void) { return Asker::live.load(std::memory_order_relaxed) > 0 ? 1 : 0; }

int32_t aamt_turns_start(const double* outputs, const double* gradients, int32_t count, const double* inputs, int32_t input_count,
                         int32_t accumulate, int32_t retain_graph, int32_t create_graph, int32_t allow_unused) {
  AAMT_GUARD({
    forbid_while_recording(accumulate ? "backward" : "grad");
    auto job = std::make_unique<Job>();
    Job* raw = job.get();
    auto roots = tensors_of(outputs, count);
    auto seeds = optional_tensors_of(gradients, count);
    auto targets = tensors_of(inputs, input_count);
    // What is captured is let go when the work is done, before JavaScript goes on.
    job->work = [=]() {
      if (accumulate) torch::autograd::backward(roots, seeds, retain_graph != 0, create_graph != 0, targets);
      else raw->found = torch::autograd::grad(roots, targets, seeds, retain_graph != 0, create_graph != 0, allow_unused != 0);
    };
    return Channel::of_this_thread()->start(std::move(job));
  })
}

int32_t aamt_turn_question(double* out, int32_t capacity) {
  AAMT_GUARD({
    Turn& turn = Channel::of_this_thread()->current();
    auto given = static_cast<int32_t>(turn.given.size());
    auto wanted = static_cast<int32_t>(turn.wanted.size());
    int32_t needed = 4 + given + wanted;
    if (capacity < needed) return needed;
    need(out, needed);
    out[0] = static_cast<double>(turn.asks);
    out[1] = turn.id;
    out[2] = given;
    out[3] = wanted;
    KeptHandles handles;
    for (int32_t i = 0; i < given; i++) out[4 + i] = handles.keep(turn.given[i]);
    for (int32_t i = 0; i < wanted; i++) out[4 + given + i] = turn.wanted[i] ? 1 : 0;
    handles.arrived();
    return needed;
  })
}

int32_t aamt_turn_answer(const double* values, int32_t count) {
  AAMT_GUARD(Channel::of_this_thread()->current().answer = optional_tensors_of(values, count); return count;)
}

int32_t aamt_turns_go_on(int32_t failed) {
  AAMT_GUARD(return Channel::of_this_thread()->go_on(failed != 0);)
}

int32_t aamt_turns_results(double* results, int32_t count) {
  AAMT_GUARD({
    need(results, count);
    auto found = Channel::of_this_thread()->take_found();
    if (static_cast<int32_t>(found.size()) != count) throw ShimError(AAMT_ERR_ARGUMENT, "no such number of results");
    KeptHandles handles;
    for (int32_t i = 0; i < count; i++) results[i] = handles.keep(std::move(found[i]));
    handles.arrived();
    return count;
  })
}

int32_t aamt_turns_forgotten(double* ids, int32_t capacity) {
  AAMT_GUARD(need(ids, capacity); return Channel::of_this_thread()->forgotten(ids, capacity);)
}
