// A team of worker threads that sleep while there is nothing to do.
//
// Why not OpenMP: its workers spin at barriers (two threads become slower than one on a
// busy machine), a child process hangs when the parent used it before the fork, and two
// copies of its run-time library in one process crash on macOS.
//
//   parallel_for(function, context, n_tasks, n_threads)
//
// calls function(context, task) once for each task in [0, n_tasks), on at most n_threads
// threads, the caller being one of them, so that a function may not depend on who runs
// it. Tasks are handed out one by one: a thread that is late, or has lost its core to
// another process, holds up no more than the task it is at. One job runs at a time: a
// call that finds the team at work (from another thread, or nested) runs its tasks
// itself.
//
// To put a thread to sleep and wake it takes longer than many of a tree's jobs, so that
// whoever waits first looks again for as long as that takes, MAX_LOOKING, and no longer.

#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64) || defined(__i386__)
#include <immintrin.h>
#define SKX_PAUSE() _mm_pause()
#elif defined(__aarch64__) && defined(__GNUC__)
#define SKX_PAUSE() __asm__ __volatile__("yield")
#else
#define SKX_PAUSE() std::this_thread::yield()
#endif

namespace sklearnx {

typedef void (*task_t)(void *context, int task);

class ThreadPool {
  public:
    void run(task_t function, void *context, int n_tasks, int n_threads) {
        if (n_threads > n_tasks) n_threads = n_tasks;
        if (n_threads > MAX_HELPERS) n_threads = MAX_HELPERS;
        if (n_threads <= 1 || n_tasks > MAX_TASKS ||
            is_busy_.exchange(true, std::memory_order_acquire)) {
            for (int task = 0; task < n_tasks; ++task) function(context, task);
            return;
        }
        start_workers(n_threads - 1);
        function_.store(function, std::memory_order_relaxed);
        context_.store(context, std::memory_order_relaxed);
        n_tasks_.store(n_tasks, std::memory_order_relaxed);
        n_unfinished_.store(n_tasks, std::memory_order_relaxed);
        ++job_idx_;
        offer_.store(pack(job_idx_, n_threads - 1, n_tasks));
        wake_workers(n_threads - 1);
        work_on_offer(0);
        wait_for_workers();
        is_busy_.store(false, std::memory_order_release);
    }

  private:
    // What is on offer, in one word, so that a worker that comes too late can neither
    // take a task of another job nor read half of it: the job's number, how many
    // workers may still join it, and how many tasks nobody has taken.
    enum { TASK_BITS = 24, HELPER_BITS = 8 };
    enum { MAX_TASKS = (1 << TASK_BITS) - 1, MAX_HELPERS = (1 << HELPER_BITS) - 1 };
    enum { MAX_LOOKING = 50 };  // microseconds

    static std::uint64_t pack(std::uint32_t job, int n_helpers, int n_tasks) {
        return ((std::uint64_t)job << (TASK_BITS + HELPER_BITS)) |
               ((std::uint64_t)n_helpers << TASK_BITS) | (std::uint64_t)n_tasks;
    }
    static std::uint32_t job_of(std::uint64_t offer) {
        return (std::uint32_t)(offer >> (TASK_BITS + HELPER_BITS));
    }
    static int helpers_of(std::uint64_t offer) {
        return (int)((offer >> TASK_BITS) & MAX_HELPERS);
    }
    static int tasks_of(std::uint64_t offer) { return (int)(offer & MAX_TASKS); }

    // Run tasks of the job on offer until none is left; return which job it was. A
    // worker that takes its first one joins the job.
    std::uint32_t work_on_offer(int joins) {
        std::uint64_t offer = offer_.load();
        const std::uint32_t job = job_of(offer);
        while (job_of(offer) == job && tasks_of(offer) > 0 &&
               helpers_of(offer) >= joins) {
            const std::uint64_t rest =
                offer - 1 - ((std::uint64_t)joins << TASK_BITS);
            if (!offer_.compare_exchange_weak(offer, rest)) continue;
            // The job cannot end before this task, so that all this is of that job.
            const int task =
                n_tasks_.load(std::memory_order_relaxed) - tasks_of(offer);
            function_.load(std::memory_order_relaxed)(
                context_.load(std::memory_order_relaxed), task);
            if (n_unfinished_.fetch_sub(1) == 1 && caller_sleeps_.load()) {
                std::lock_guard<std::mutex> lock(mutex_);
                done_.notify_one();
            }
            offer = rest;
            joins = 0;
        }
        return job;
    }

    template <typename Condition>
    static bool look_for(Condition condition) {
        const auto start = std::chrono::steady_clock::now();
        for (;;) {
            for (int i = 0; i < 16; ++i) {
                if (condition()) return true;
                SKX_PAUSE();
            }
            if (std::chrono::steady_clock::now() - start >=
                std::chrono::microseconds(MAX_LOOKING)) {
                return false;
            }
        }
    }

    void wait_for_workers() {
        const auto is_done = [this] { return n_unfinished_.load() == 0; };
        if (look_for(is_done)) return;
        std::unique_lock<std::mutex> lock(mutex_);
        caller_sleeps_.store(true);
        done_.wait(lock, is_done);
        caller_sleeps_.store(false);
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

    void wake_workers(int n_wanted) {
        int n_asleep = n_asleep_.load();
        if (n_asleep == 0) return;
        if (n_asleep > n_wanted) n_asleep = n_wanted;
        { std::lock_guard<std::mutex> lock(mutex_); }  // not between looking and sleeping
        for (int i = 0; i < n_asleep; ++i) wake_.notify_one();
    }

    void work() {
        std::uint32_t last_job = 0;
        for (;;) {
            const auto is_new = [&] {
                const std::uint64_t offer = offer_.load();
                return job_of(offer) != last_job && helpers_of(offer) > 0;
            };
            if (!look_for(is_new)) {
                std::unique_lock<std::mutex> lock(mutex_);
                n_asleep_.fetch_add(1);
                wake_.wait(lock, is_new);
                n_asleep_.fetch_sub(1);
            }
            last_job = work_on_offer(1);
        }
    }

    // Whether a job runs. Not a mutex: a nested call asks from the thread that set it.
    std::atomic<bool> is_busy_{false};
    int n_workers_ = 0;  // changed by the job that runs, as the next one
    std::uint32_t job_idx_ = 0;
    std::atomic<std::uint64_t> offer_{0};
    std::atomic<task_t> function_{nullptr};
    std::atomic<void *> context_{nullptr};
    std::atomic<int> n_tasks_{0}, n_unfinished_{0}, n_asleep_{0};
    std::atomic<bool> caller_sleeps_{false};
    std::mutex mutex_;  // of those who go to sleep and who wake them
    std::condition_variable wake_, done_;
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
