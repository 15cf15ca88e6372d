from sklearnx._cython.boosting.histogram cimport histogram_job_t
from sklearnx._cython.common.dtypes cimport binned_t, hist_bin_t, sparse_note_t


cdef void add_sparse_block(const histogram_job_t* job, int block) noexcept nogil

cdef void write_default_bin(
    const binned_t* binned,
    int feature,
    hist_bin_t totals,
    const sparse_note_t* note,
    hist_bin_t* histogram,
) noexcept nogil
