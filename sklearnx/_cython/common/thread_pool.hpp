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
// it. Each thread has a share of the tasks, the same one in every job of that many, so
// that what it left in its cache is there for the next job on the same data:
//
//   tasks  0 1 2 3 4 | 5 6 7 8 9      thread 0 from the left of its share; when that is
//          --> thread 0  --> thread 1    done, it takes from the right of another's
//
// Tasks are taken one by one: a thread that is late, or has lost its core to another
// process, holds up no more than the task it is at. One job runs at a time: a call that
// finds the team at work (from another thread, or nested) runs its tasks itself.
//
// To put a thread to sleep and wake it takes longer than many of a tree's jobs, so that
// whoever waits first looks again for as long as that takes, MAX_LOOKING, then gives way
// to others that want the core between looks, until MAX_YIELDING, and no longer.

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
        ++job_idx_;
        function_.store(function, std::memory_order_relaxed);
        context_.store(context, std::memory_order_relaxed);
        n_shares_.store(n_threads, std::memory_order_relaxed);
        n_unfinished_.store(n_tasks, std::memory_order_relaxed);
        for (std::int64_t i = 0; i < n_threads; ++i) {
            shares_[i].tasks.store(pack_share(
                job_idx_, i * n_tasks / n_threads, (i + 1) * n_tasks / n_threads));
        }
        offer_.store(pack_offer(job_idx_, n_threads - 1));
        wake_workers(n_threads - 1);
        work_on_job(job_idx_, 0);
        wait_for_workers();
        is_busy_.store(false, std::memory_order_release);
    }

  private:
    enum { TASK_BITS = 24, HELPER_BITS = 8 };
    enum { MAX_TASKS = (1 << TASK_BITS) - 1, MAX_HELPERS = (1 << HELPER_BITS) - 1 };
    enum { MAX_LOOKING = 50, MAX_YIELDING = 200 };  // microseconds

    // What is on offer, in one word: the job's number, and how many workers may still
    // join it.
    static std::uint64_t pack_offer(std::uint32_t job, int n_helpers) {
        return ((std::uint64_t)job << HELPER_BITS) | (std::uint64_t)n_helpers;
    }
    static std::uint32_t job_of(std::uint64_t offer) {
        return (std::uint32_t)(offer >> HELPER_BITS);
    }
    static int helpers_of(std::uint64_t offer) { return (int)(offer & MAX_HELPERS); }

    // The tasks of a share that nobody has taken, in one word with the job's number, so
    // that a worker that comes too late takes none of another job.
    struct alignas(64) Share {
        std::atomic<std::uint64_t> tasks{0};
    };
    static std::uint64_t pack_share(
        std::uint32_t job, std::int64_t start, std::int64_t stop) {
        return ((std::uint64_t)job << (2 * TASK_BITS)) |
               ((std::uint64_t)start << TASK_BITS) | (std::uint64_t)stop;
    }

    // Take a task of a share, -1 if there is none: the first if it is one's own.
    static int take_task(Share &share, std::uint32_t job, bool is_own) {
        std::uint64_t tasks = share.tasks.load();
        for (;;) {
            const int start = (int)((tasks >> TASK_BITS) & MAX_TASKS);
            const int stop = (int)(tasks & MAX_TASKS);
            if (start >= stop || tasks != pack_share(job, start, stop)) return -1;
            const std::uint64_t rest = is_own ? pack_share(job, start + 1, stop)
                                              : pack_share(job, start, stop - 1);
            if (share.tasks.compare_exchange_weak(tasks, rest)) {
                return is_own ? start : stop - 1;
            }
        }
    }

    // Run tasks of a job until none is left, those of one's own share first.
    void work_on_job(std::uint32_t job, int thread) {
        const int n_shares = n_shares_.load(std::memory_order_relaxed);
        // The first is the caller's; there may be more workers than others.
        const int own = thread == 0 ? 0 : 1 + (thread - 1) % (n_shares - 1);
        for (int i = 0; i < n_shares; ++i) {
            Share &share = shares_[(own + i) % n_shares];
            for (;;) {
                const int task = take_task(share, job, i == 0);
                if (task < 0) break;
                // The job cannot end before this task, so that all this is of that job.
                function_.load(std::memory_order_relaxed)(
                    context_.load(std::memory_order_relaxed), task);
                if (n_unfinished_.fetch_sub(1) == 1 && caller_sleeps_.load()) {
                    std::lock_guard<std::mutex> lock(mutex_);
                    done_.notify_one();
                }
            }
        }
    }

    // Join the job on offer, if it wants more workers; return which one it is.
    std::uint32_t join(int thread) {
        std::uint64_t offer = offer_.load();
        do {
            if (helpers_of(offer) == 0) return job_of(offer);
        } while (!offer_.compare_exchange_weak(offer, offer - 1));
        work_on_job(job_of(offer), thread);
        return job_of(offer);
    }

    template <typename Condition>
    static bool look_for(Condition condition) {
        const auto start = std::chrono::steady_clock::now();
        for (;;) {
            for (int i = 0; i < 16; ++i) {
                if (condition()) return true;
                SKX_PAUSE();
            }
            const auto looked = std::chrono::steady_clock::now() - start;
            if (looked >= std::chrono::microseconds(MAX_YIELDING)) return false;
            if (looked >= std::chrono::microseconds(MAX_LOOKING)) {
                std::this_thread::yield();
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
                std::thread(&ThreadPool::work, this, n_workers_ + 1).detach();
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

    void work(int thread) {
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
            last_job = join(thread);
        }
    }

    // Whether a job runs. Not a mutex: a nested call asks from the thread that set it.
    std::atomic<bool> is_busy_{false};
    int n_workers_ = 0;  // changed by the job that runs, as the next one
    std::uint32_t job_idx_ = 0;
    std::atomic<std::uint64_t> offer_{0};
    std::atomic<task_t> function_{nullptr};
    std::atomic<void *> context_{nullptr};
    std::atomic<int> n_shares_{0}, n_unfinished_{0}, n_asleep_{0};
    Share shares_[MAX_HELPERS];
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
