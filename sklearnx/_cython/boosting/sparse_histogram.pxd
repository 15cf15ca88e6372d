from sklearnx._cython.boosting.histogram cimport histogram_job_t


cdef void add_sparse_block(const histogram_job_t* job, int block) noexcept nogil
