// Process groups: LibTorch's own c10d, with gloo for CPUs and, where the build has it, NCCL for CUDA. The
// group is registered under a name, by which the operators of `_c10d_functional` find it: collectives need no
// code here. What is here is what no operator does: opening and closing the group, and the store, through
// which ranks tell each other that they live and why they end.
//
// AAMT_WITH_GROUPS is defined unless LibTorch has no c10d or its headers cannot be compiled;
// AAMT_WITH_NCCL where nccl.h was found.
#include "internal.h"

#ifdef AAMT_WITH_GROUPS
#include <chrono>
#include <condition_variable>
#include <deque>
#include <c10/util/Logging.h>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/GroupRegistry.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupWrapper.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef AAMT_WITH_NCCL
#include <torch/csrc/cuda/nccl.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#endif

using namespace aamt;

#ifdef AAMT_WITH_GROUPS
namespace {
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using StorePointer = c10::intrusive_ptr<c10d::Store>;

const char* group_name = "aamt";
// How often a rank tells that it lives, and for how long others listen before they hold it dead.
constexpr milliseconds beat_every{300};
constexpr milliseconds listen_for{1500};
// A store that has not answered by then is held dead, too.
constexpr milliseconds store_limit{10000};

std::string text_of(const uint8_t* text, int32_t length) {
  need(text, length);
  return std::string(reinterpret_cast<const char*>(text), length);
}
std::vector<uint8_t> bytes_of(const std::string& text) { return std::vector<uint8_t>(text.begin(), text.end()); }
std::string text_of(const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); }
std::string rank_key(const char* name, int rank) { return std::string(name) + "/" + std::to_string(rank); }

c10::intrusive_ptr<c10d::TCPStore> connect(const std::string& host, uint16_t port, bool serve, milliseconds timeout) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = serve;
  options.waitWorkers = false;
  options.timeout = timeout;
  // Bun exports stand-ins for libuv's functions, which end the process; the linker would take them
  // for those inside LibTorch.
  options.useLibUV = false;
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

// A connection to the store that one thread alone uses: it tells that this rank lives, and runs what others
// ask of the store. So a store whose process was stopped holds nobody up for longer than they want to wait.
class StoreThread : public std::enable_shared_from_this<StoreThread> {
 public:
  StoreThread(StorePointer store, int rank) : store_(std::move(store)), rank_(rank) {}

  void start() {
    std::thread([self = shared_from_this()] { self->run(); }).detach();
  }
  void stop() {
    std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    wake_.notify_all();
  }

  template <class T>
  T ask(std::function<T(c10d::Store&)> question, milliseconds limit) {
    auto task = std::make_shared<std::packaged_task<T()>>([this, question] { return question(*store_); });
    std::future<T> answer = task->get_future();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      tasks_.emplace_back([task] { (*task)(); });
      wake_.notify_all();
    }
    if (answer.wait_for(limit) != std::future_status::ready)
      throw ShimError(AAMT_ERR_OTHER, "the store does not answer");
    return answer.get();
  }

 private:
  void run() {
    auto next_beat = Clock::now();
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stopped_) {
      wake_.wait_until(lock, next_beat, [this] { return stopped_ || !tasks_.empty(); });
      std::deque<std::function<void()>> tasks;
      tasks.swap(tasks_);
      lock.unlock();
      for (auto& task : tasks) task();
      if (Clock::now() >= next_beat) {
        try {
          store_->add(rank_key("beat", rank_), 1);
        } catch (...) {
          // Whoever needs the store finds out for himself.
        }
        next_beat = Clock::now() + beat_every;
      }
      lock.lock();
    }
  }

  StorePointer store_;
  const int rank_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  bool stopped_ = false;
};

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  StorePointer store;
  std::shared_ptr<StoreThread> line;
  int rank;
  int size;
};
// Never destroyed at the end of the process: gloo's threads may be waiting for peers that are gone.
Group* open_group = nullptr;
c10::intrusive_ptr<c10d::TCPStore>* served_store = nullptr;

Group& current_group() {
  if (open_group == nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "no process group is open");
  return *open_group;
}

std::string list_ranks(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); i++) text += (i == 0 ? "" : ", ") + std::to_string(ranks[i]);
  return text;
}

// c10d logs a page of frames for every connection that is lost; why ranks end is told in a sentence.
// PyTorch's variable has the last word.
void log_errors_alone() {
  if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr) FLAGS_caffe2_log_level = 3;
}

// Waits until all ranks are there. Throws a sentence that names those that are not.
void meet(c10d::Store& store, int rank, int size, milliseconds timeout, const std::string& limit) {
  store.set(rank_key("there", rank), bytes_of("1"));
  std::vector<std::string> keys;
  for (int other = 0; other < size; other++) keys.push_back(rank_key("there", other));
  try {
    store.wait(keys, timeout);
  } catch (...) {
    std::vector<int> absent;
    for (int other = 0; other < size; other++)
      if (!store.check({keys[other]})) absent.push_back(other);
    if (absent.empty()) return;
    throw ShimError(AAMT_ERR_OTHER, list_ranks(absent) + " of " + std::to_string(size) + " did not start within " + limit);
  }
}

c10::intrusive_ptr<c10d::Backend> open_gloo(const StorePointer& store, int rank, int size, milliseconds timeout, const char* prefix) {
  auto own = c10::make_intrusive<c10d::PrefixStore>(prefix, store);
  return c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, c10d::ProcessGroupGloo::Options::create_default(timeout));
}

#ifdef AAMT_WITH_NCCL
c10::intrusive_ptr<c10d::Backend> open_nccl(const StorePointer& store, int rank, int size, milliseconds timeout) {
  // ncclConfig_t lies inside c10d's classes: another version's would shift what follows it.
  constexpr uint64_t header = (uint64_t(NCCL_MAJOR) << 32) | (uint64_t(NCCL_MINOR) << 16) | uint64_t(NCCL_PATCH);
  if (torch::cuda::nccl::version() != header)
    throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "nccl.h of the build is of another version than LibTorch's NCCL");
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store), rank, size, options);
}
#endif

c10::intrusive_ptr<c10d::ProcessGroup> make_group(const StorePointer& store, int rank, int size, int32_t backends,
                                                  milliseconds timeout) {
  using c10d::ProcessGroup;
  auto group = c10::make_intrusive<ProcessGroup>(store, rank, size);
  auto checked = [&](c10::intrusive_ptr<c10d::Backend> backend, const char* prefix) -> c10::intrusive_ptr<c10d::Backend> {
    if ((backends & AAMT_GROUP_CHECKED) == 0) return backend;
    return c10::make_intrusive<c10d::ProcessGroupWrapper>(backend, open_gloo(store, rank, size, timeout, prefix));
  };
  auto gloo = checked(open_gloo(store, rank, size, timeout, "gloo"), "gloo-checks");
  group->setBackend(c10::DeviceType::CPU, ProcessGroup::BackendType::GLOO, gloo);
  if (backends & AAMT_GROUP_GLOO_CUDA) group->setBackend(c10::DeviceType::CUDA, ProcessGroup::BackendType::GLOO, gloo);
  if (backends & AAMT_GROUP_NCCL) {
#ifdef AAMT_WITH_NCCL
    auto nccl = checked(open_nccl(store, rank, size, timeout), "nccl-checks");
    group->setBackend(c10::DeviceType::CUDA, ProcessGroup::BackendType::NCCL, nccl);
#else
    throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "the native part was built without NCCL");
#endif
  }
  group->setDefaultBackend(backends & AAMT_GROUP_NCCL ? ProcessGroup::BackendType::NCCL : ProcessGroup::BackendType::GLOO);
  group->setGroupName(group_name);
  return group;
}

void close_group() {
  if (open_group == nullptr) return;
  std::unique_ptr<Group> group(open_group);
  open_group = nullptr;
  c10d::unregister_process_group(group_name);
  group->line->stop();
  group->group->shutdown();
}

uint16_t port_of(int32_t port) {
  if (port < 0 || port > 65535) throw ShimError(AAMT_ERR_ARGUMENT, "no such port: " + std::to_string(port));
  return static_cast<uint16_t>(port);
}
}  // namespace

int32_t aamt_group_available(void) {
#ifdef AAMT_WITH_NCCL
  return 1 | AAMT_GROUP_NCCL;
#else
  return 1;
#endif
}

int32_t aamt_store_serve(int32_t port) {
  AAMT_GUARD({
    if (served_store != nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "this process serves a store already");
    served_store = new c10::intrusive_ptr<c10d::TCPStore>(connect("127.0.0.1", port_of(port), true, store_limit));
    return static_cast<int32_t>((*served_store)->getPort());
  })
}

int32_t aamt_group_open(const uint8_t* host, int32_t host_length, int32_t port, int32_t rank, int32_t size, int32_t serve,
                        const uint8_t* prefix, int32_t prefix_length, int32_t backends, double timeout_ms) {
  AAMT_GUARD({
    if (open_group != nullptr) throw ShimError(AAMT_ERR_ARGUMENT, "a process group is open already");
    if (size < 1 || rank < 0 || rank >= size) throw ShimError(AAMT_ERR_ARGUMENT, "the rank is not below the number of ranks");
    if (!(timeout_ms >= 1 && timeout_ms <= 1e12)) throw ShimError(AAMT_ERR_ARGUMENT, "the time limit is not above 0");
    milliseconds timeout(static_cast<int64_t>(timeout_ms));
    std::string address = text_of(host, host_length);
    std::string limit = std::to_string(timeout.count() / 1000) + " s";
    log_errors_alone();
    std::string own = text_of(prefix, prefix_length);
    auto deadline = Clock::now() + timeout;
    auto left = [&] { return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(deadline - Clock::now())); };
    c10::intrusive_ptr<c10d::TCPStore> shared;
    try {
      shared = connect(address, port_of(port), serve != 0, timeout);
    } catch (const std::exception& error) {
      std::string place = address + ":" + std::to_string(port);
      if (serve != 0) throw ShimError(AAMT_ERR_OTHER, "rank 0 cannot serve the store at " + place + ": " + error.what());
      throw ShimError(AAMT_ERR_OTHER, "rank 0 did not start within " + std::to_string(timeout.count() / 1000) + " s: no store at " + place);
    }
    StorePointer store = c10::make_intrusive<c10d::PrefixStore>(own, shared);
    meet(*store, rank, size, left(), limit);
    auto line = std::make_shared<StoreThread>(
        c10::make_intrusive<c10d::PrefixStore>(own, connect(address, static_cast<uint16_t>(shared->getPort()), false, timeout)), rank);
    line->start();
    try {
      auto group = make_group(store, rank, size, backends, timeout);
      c10d::register_process_group(group_name, group);
      open_group = new Group{group, store, line, rank, size};
    } catch (...) {
      line->stop();
      throw;
    }
    return 0;
  })
}

int32_t aamt_group_close(void) {
  AAMT_GUARD(close_group(); return 0;)
}

int32_t aamt_group_post(const uint8_t* key, int32_t key_length, const uint8_t* value, int32_t value_length, uint8_t* out,
                        int32_t capacity) {
  AAMT_GUARD({
    std::string name = text_of(key, key_length);
    std::vector<uint8_t> text = bytes_of(text_of(value, value_length));
    auto stored = current_group().line->ask<std::vector<uint8_t>>(
        [name, text](c10d::Store& store) { return store.compareSet(name, {}, text); }, store_limit);
    return copy_text(text_of(stored), out, capacity);
  })
}

int32_t aamt_group_read(const uint8_t* key, int32_t key_length, uint8_t* out, int32_t capacity) {
  AAMT_GUARD({
    std::string name = text_of(key, key_length);
    auto found = current_group().line->ask<std::vector<uint8_t>>(
        [name](c10d::Store& store) { return store.check({name}) ? store.get(name) : std::vector<uint8_t>(); }, store_limit);
    return copy_text(text_of(found), out, capacity);
  })
}

int32_t aamt_group_silent(double* ranks, int32_t capacity) {
  AAMT_GUARD({
    Group& group = current_group();
    int size = group.size;
    int own = group.rank;
    auto silent = group.line->ask<std::vector<int>>(
        [size, own](c10d::Store& store) {
          std::vector<int64_t> before;
          for (int rank = 0; rank < size; rank++) before.push_back(store.add(rank_key("beat", rank), 0));
          // This rank's thread is busy here, but others may be listening, too.
          for (auto heard = milliseconds(0); heard < listen_for; heard += beat_every) {
            store.add(rank_key("beat", own), 1);
            std::this_thread::sleep_for(beat_every);
          }
          std::vector<int> still;
          for (int rank = 0; rank < size; rank++)
            if (store.add(rank_key("beat", rank), 0) == before[rank]) still.push_back(rank);
          return still;
        },
        store_limit);
    int32_t count = 0;
    for (int rank : silent) {
      if (rank == own) continue;
      if (count < capacity) {
        need(ranks, capacity);
        ranks[count] = rank;
      }
      count++;
    }
    return count;
  })
}

#else  // without process groups

namespace {
int32_t unavailable() {
  AAMT_GUARD(throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "the native part was built without process groups");)
}
}  // namespace

int32_t aamt_group_available(void) { return 0; }
int32_t aamt_store_serve(int32_t) { return unavailable(); }
int32_t aamt_group_open(const uint8_t*, int32_t, int32_t, int32_t, int32_t, int32_t, const uint8_t*, int32_t, int32_t, double) {
  return unavailable();
}
int32_t aamt_group_close(void) { return 0; }
int32_t aamt_group_post(const uint8_t*, int32_t, const uint8_t*, int32_t, uint8_t*, int32_t) { return unavailable(); }
int32_t aamt_group_read(const uint8_t*, int32_t, uint8_t*, int32_t) { return unavailable(); }
int32_t aamt_group_silent(double*, int32_t) { return unavailable(); }
#endif
