// A team of worker threads that sleep while there is nothing to do.
//
// Why not OpenMP: its workers spin at barriers (two threads become slower than one on a
// busy machine), a child process hangs when the parent used it before the fork, and two
// copies of its run-time library in one process crash on macOS.
//
//   parallel_for(function, context, n_tasks, n_threads)
//
// calls function(context, task) once for each task in [0, n_tasks). Tasks are handed out
// by an atomic counter to at most n_threads threads, the caller being one of them, so
// that a function may not depend on who runs it. One job runs at a time: a call that
// finds the team at work (from another thread, or nested) runs its tasks itself.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

namespace sklearnx {

typedef void (*task_t)(void *context, int task);

class ThreadPool {
  public:
    void run(task_t function, void *context, int n_tasks, int n_threads) {
        if (n_threads > n_tasks) n_threads = n_tasks;
        if (n_threads <= 1 || is_busy_.exchange(true, std::memory_order_acquire)) {
            for (int task = 0; task < n_tasks; ++task) function(context, task);
            return;
        }
        start_workers(n_threads - 1);
        int n_helpers = n_threads - 1 < n_workers_ ? n_threads - 1 : n_workers_;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            function_ = function;
            context_ = context;
            n_tasks_ = n_tasks;
            next_task_.store(0, std::memory_order_relaxed);
            n_wanted_ = n_helpers;
        }
        for (int i = 0; i < n_helpers; ++i) wake_.notify_one();
        drain(function, context, n_tasks);
        // Workers that have not woken up yet find no work left: they are not waited for.
        {
            std::unique_lock<std::mutex> lock(mutex_);
            n_wanted_ = 0;
            done_.wait(lock, [this] { return n_active_ == 0; });
        }
        is_busy_.store(false, std::memory_order_release);
    }

  private:
    void drain(task_t function, void *context, int n_tasks) {
        for (;;) {
            int task = next_task_.fetch_add(1, std::memory_order_relaxed);
            if (task >= n_tasks) return;
            function(context, task);
        }
    }

    void start_workers(int n_workers) {
        while (n_workers_ < n_workers) {
            try {
                std::thread(&ThreadPool::work, this).detach();
            } catch (const std::system_error &) {
                return;  // no more threads to be had: fewer will do
            }
            ++n_workers_;
        }
    }

    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return n_wanted_ > 0; });
            --n_wanted_;
            ++n_active_;
            task_t function = function_;
            void *context = context_;
            int n_tasks = n_tasks_;
            lock.unlock();
            drain(function, context, n_tasks);
            lock.lock();
            if (--n_active_ == 0) done_.notify_one();
        }
    }

    // Whether a job runs. Not a mutex: a nested call asks from the thread that set it.
    std::atomic<bool> is_busy_{false};
    int n_workers_ = 0;  // changed by the job that runs
    std::atomic<int> next_task_{0};
    std::mutex mutex_;  // guards all that follows
    std::condition_variable wake_, done_;
    task_t function_ = nullptr;
    void *context_ = nullptr;
    int n_tasks_ = 0, n_wanted_ = 0, n_active_ = 0;
};

// Never destroyed, since detached workers may outlive static objects.
inline ThreadPool *&current_pool() {
    static ThreadPool *pool = new ThreadPool();
    return pool;
}

inline void parallel_for(task_t function, void *context, int n_tasks, int n_threads) {
    current_pool()->run(function, context, n_tasks, n_threads);
}

// A forked child has none of its parent's threads, and its mutexes may be held by them.
inline void abandon_pool() { current_pool() = new ThreadPool(); }

// What a task can tell of its thread, and how it can be long, for `trace_tasks`.
inline size_t current_thread() {
    return std::hash<std::thread::id>()(std::this_thread::get_id());
}

inline void sleep_for(int microseconds) {
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

// The limit that threadpoolctl sets (sklearnx/_threads.py); 0 means no limit.
inline std::atomic<int> thread_limit{0};

}  // namespace sklearnx
