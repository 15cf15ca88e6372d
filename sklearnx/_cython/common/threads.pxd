ctypedef void (*task_t)(void* context, int task) noexcept nogil

cdef void parallel_for(
    task_t function, void* context, int n_tasks, int n_threads
) noexcept nogil
