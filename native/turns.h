// Autograd and JavaScript take turns. JavaScript can be entered on its own thread alone, and autograd meets
// functions and hooks that are written in it wherever the engine runs. So the engine runs on a thread beside,
// while JavaScript's waits; at such a place the engine's thread puts a question and waits in turn, until
// JavaScript has answered. Nobody calls anybody across the border.
#pragma once
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable_info.h>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include "internal.h"

namespace aamt {

// Nodes are held by std::shared_ptr or c10::intrusive_ptr, by LibTorch's version.
using NodePointer = std::decay_t<decltype(std::declval<const at::Tensor&>().grad_fn())>;

template <typename T, typename... Arguments>
NodePointer make_node(Arguments&&... arguments) {
  if constexpr (std::is_same_v<NodePointer, std::shared_ptr<torch::autograd::Node>>)
    return NodePointer(new T(std::forward<Arguments>(arguments)...), [](T* node) { delete node; });
  else return c10::make_intrusive<T>(std::forward<Arguments>(arguments)...);
}

enum class Asks : int32_t { kFunction = 0, kHook = 1, kAccumulated = 2 };

struct Job {
  std::function<void()> work;
  bool done = false;
  std::exception_ptr error;
  torch::autograd::variable_list found;
};

struct Turn {
  Asks asks;
  double id;
  torch::autograd::Node* node = nullptr;  // of a function: what it saved
  // which of its gradients this pass needs; only the engine's thread knows
  std::vector<bool> wanted;
  torch::autograd::variable_list given;
  torch::autograd::variable_list answer;
  bool answered = false;
  bool failed = false;
  Job* nested = nullptr;  // work for the asking thread while it waits: a backward pass within the answer
  bool grad_mode = false;
  bool outer_grad_mode = false;
  std::optional<c10::Stream> stream;
  std::optional<c10::Stream> outer_stream;
  std::condition_variable wake;
};

// One per thread of JavaScript's.
class Channel {
 public:
  static const std::shared_ptr<Channel>& of_this_thread();

  // Of the engine's threads: waits for the answer. Throws if it can't come or says that it failed.
  void ask(Turn& turn);

  // Of JavaScript's thread: does the work elsewhere. 1: a question waits (`current`), 0: the work is done.
  int32_t start(std::unique_ptr<Job> job);
  int32_t go_on(bool failed);  // with the answer, or because there is none
  Turn& current();
  torch::autograd::variable_list take_found() { return std::move(found_); }

  // What the garbage of the graph names: handlers that JavaScript may forget.
  void forget(double id);
  int32_t forgotten(double* ids, int32_t capacity);
  void close();

 private:
  int32_t wait();
  void run(Job& job);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Turn*> questions_;
  std::vector<Turn*> answering_;
  std::vector<std::unique_ptr<Job>> jobs_;
  torch::autograd::variable_list found_;
  bool closed_ = false;
  std::mutex forgotten_mutex_;
  std::vector<double> forgotten_;
};

// What in a graph needs JavaScript: while there is any, backward passes run beside. Lives as
// long as its node or tensor.
class Asker {
 public:
  Asker(double id) : channel_(Channel::of_this_thread()), id_(id) { live++; }
  Asker(const Asker&) = delete;
  ~Asker() {
    live--;
    channel_->forget(id_);
  }
  torch::autograd::variable_list ask(Asks asks, torch::autograd::variable_list given, torch::autograd::Node* node = nullptr) const;
  static std::atomic<int64_t> live;

 private:
  std::shared_ptr<Channel> channel_;
  double id_;
};

}  // namespace aamt
