// One pass over the rows for both steps of EM:
//
//     block of rows -> panels -> log densities -> responsibilities -> moments
//                                (components, rows)            of each component
//
// A block stays in the cache from the first to the last, so that the table is read once
// and responsibilities are kept of a block only (R. M. Neal and G. E. Hinton, "A view of
// the EM algorithm that justifies incremental, sparse, and other variants", 1998, on
// sufficient statistics as sums over the rows). Blocks belong to tasks by the shape alone;
// each has its sums, added in order at the end.

#pragma once

#include <math.h>
#include <stdint.h>

#include <algorithm>
#include <vector>

#include "mixture_kinds.h"
#include "panels.h"
#include "parallel_parts.h"

enum { MIXTURE_BLOCK = 128, MIXTURE_MIN_TASK = 512 };  // rows
static const int64_t MIXTURE_WORK_AT_ONCE = (int64_t)1 << 31;  // multiplications
static const int64_t MIXTURE_MAX_SUMS = (int64_t)1 << 22;      // doubles

// Where responsibilities come from, IN: one of labels (-1 for none at all) and resp
// (n_rows, n_components), or with is_given neither, for ones; without it, from densities.
// weights (n_rows,) are factors, NULL for ones.
struct skx_mixture_input_t {
    bool is_given;
    const int32_t *labels;
    const double *resp, *weights;
};

// OUT, each unless NULL: moments (n_components, n_moments), and of each row the most
// probable component, the log density and the responsibilities (n_rows, n_components).
struct skx_mixture_output_t {
    double *moments;
    int64_t *labels;
    double *log_density, *resp;
};

// Rows from `row` on as panels; the last row fills up the last panel.
template <typename T>
static inline void skx_pack_rows(
    const skx_table_t<T> &table, int64_t row, int64_t n, double *panels) {
    const int64_t n_full = (n + MIXTURE_PANEL - 1) / MIXTURE_PANEL * MIXTURE_PANEL;
    for (int64_t r = 0; r < n_full; ++r) {
        const T *x = table.at(row + std::min(r, n - 1), 0);
        double *place = panels + r / MIXTURE_PANEL * table.n_columns * MIXTURE_PANEL +
                        r % MIXTURE_PANEL;
        for (int64_t j = 0; j < table.n_columns; ++j) {
            place[j * MIXTURE_PANEL] = (double)x[j * table.column_stride];
        }
    }
}

// logs (n_components, MIXTURE_BLOCK) of n rows, a multiple of 16, become responsibilities.
// A row that is infinitely far from all components has the log density -inf.
SKX_CLONES static void skx_normalize_logs(
    double *logs, int64_t n_components, int64_t n, double *log_density) {
    for (int64_t row = 0; row < n; row += MIXTURE_PANEL) {
        double top[MIXTURE_PANEL], total[MIXTURE_PANEL] = {0};
        for (int i = 0; i < MIXTURE_PANEL; ++i) top[i] = logs[row + i];
        for (int64_t k = 1; k < n_components; ++k) {
            const double *of_row = logs + k * MIXTURE_BLOCK + row;
            for (int i = 0; i < MIXTURE_PANEL; ++i) {
                top[i] = skx_select(skx_mask(of_row[i] > top[i]), of_row[i], top[i]);
            }
        }
        for (int i = 0; i < MIXTURE_PANEL; ++i) {
            top[i] = skx_select(skx_mask(top[i] == -INFINITY), 0.0, top[i]);
        }
        for (int64_t k = 0; k < n_components; ++k) {
            double *of_row = logs + k * MIXTURE_BLOCK + row;
            for (int i = 0; i < MIXTURE_PANEL; ++i) {
                of_row[i] = skx_exp(of_row[i] - top[i]);
                total[i] += of_row[i];
            }
        }
        for (int i = 0; i < MIXTURE_PANEL; ++i) {
            log_density[row + i] = top[i] + skx_log(total[i]);
            total[i] = 1.0 / total[i];
        }
        for (int64_t k = 0; k < n_components; ++k) {
            double *of_row = logs + k * MIXTURE_BLOCK + row;
            for (int i = 0; i < MIXTURE_PANEL; ++i) of_row[i] *= total[i];
        }
    }
}

// The same blocks whatever is asked for: one task's share of a pass.
template <typename T, typename Kind>
class skx_mixture_block_t {
  public:
    skx_mixture_block_t(
        const Kind &kind, const skx_table_t<T> &table, const skx_mixture_input_t &input,
        const skx_mixture_output_t &output)
        : kind_(kind), table_(table), input_(input), output_(output),
          n_components_(kind.m.n_components), panels_(table.n_columns * MIXTURE_BLOCK),
          resp_(n_components_ * MIXTURE_BLOCK), log_density_(MIXTURE_BLOCK),
          weights_(MIXTURE_BLOCK) {
        kind.make_room(MIXTURE_BLOCK, &room_);
    }

    // Go through rows [row, row + n), up to MIXTURE_BLOCK. Moments and the sum of the log
    // densities are added to sums.
    void run(int64_t row, int64_t n, double *sums) {
        const int64_t n_panels = (n + MIXTURE_PANEL - 1) / MIXTURE_PANEL;
        skx_pack_rows(table_, row, n, panels_.data());
        for (int64_t r = 0; r < n_panels * MIXTURE_PANEL; ++r) {
            weights_[r] = r >= n ? 0.0 : input_.weights ? input_.weights[row + r] : 1.0;
        }
        if (input_.is_given) {
            take_resp(row, n, n_panels * MIXTURE_PANEL);
        } else {
            find_resp(row, n, n_panels);
        }
        const int64_t size = Kind::n_moments(table_.n_columns);
        if (output_.moments == NULL) return;
        for (int64_t k = 0; k < n_components_; ++k) {
            double *of_component = &resp_[k * MIXTURE_BLOCK];
            for (int64_t r = 0; r < n_panels * MIXTURE_PANEL; ++r) {
                of_component[r] = weights_[r] == 0.0 ? 0.0 : of_component[r] * weights_[r];
            }
            kind_.add_moments(
                panels_.data(), n_panels, k, of_component, &room_, sums + k * size);
        }
        double *log_likelihood = sums + n_components_ * size;
        for (int64_t r = 0; r < n; ++r) {
            if (weights_[r] != 0.0) *log_likelihood += weights_[r] * log_density_[r];
        }
    }

  private:
    void take_resp(int64_t row, int64_t n, int64_t n_full) {
        std::fill(log_density_.begin(), log_density_.end(), 0.0);
        for (int64_t k = 0; k < n_components_; ++k) {
            double *of_component = &resp_[k * MIXTURE_BLOCK];
            std::fill(of_component, of_component + n_full, 0.0);
            for (int64_t r = 0; r < n; ++r) {
                of_component[r] = input_.labels ? (double)(input_.labels[row + r] == k)
                                  : input_.resp ? input_.resp[(row + r) * n_components_ + k]
                                                : 1.0;
            }
        }
    }

    void find_resp(int64_t row, int64_t n, int64_t n_panels) {
        kind_.start_block(panels_.data(), n_panels, &room_);
        for (int64_t k = 0; k < n_components_; ++k) {
            double *logs = &resp_[k * MIXTURE_BLOCK];
            kind_.find_distances(panels_.data(), n_panels, k, &room_, logs);
            const double constant = kind_.m.constants[k];
            for (int64_t r = 0; r < n_panels * MIXTURE_PANEL; ++r) {
                logs[r] = constant - 0.5 * logs[r];
            }
        }
        if (output_.labels) find_labels(row, n);
        skx_normalize_logs(
            resp_.data(), n_components_, n_panels * MIXTURE_PANEL, log_density_.data());
        if (output_.log_density) {
            std::copy(&log_density_[0], &log_density_[0] + n, output_.log_density + row);
        }
        if (output_.resp) {
            for (int64_t r = 0; r < n; ++r) {
                for (int64_t k = 0; k < n_components_; ++k) {
                    output_.resp[(row + r) * n_components_ + k] = resp_[k * MIXTURE_BLOCK + r];
                }
            }
        }
    }

    // The first of equal ones.
    void find_labels(int64_t row, int64_t n) {
        for (int64_t r = 0; r < n; ++r) {
            int64_t best = 0;
            double largest = resp_[r];
            for (int64_t k = 1; k < n_components_; ++k) {
                const double of_row = resp_[k * MIXTURE_BLOCK + r];
                best = of_row > largest ? k : best;
                largest = of_row > largest ? of_row : largest;
            }
            output_.labels[row + r] = best;
        }
    }

    const Kind &kind_;
    const skx_table_t<T> &table_;
    const skx_mixture_input_t &input_;
    const skx_mixture_output_t &output_;
    const int64_t n_components_;
    std::vector<double> panels_, resp_, log_density_, weights_;
    skx_room_t room_;
};

// Returns whether it came to the end: goes_on() is asked now and then. OUT: the sum of the
// weighted log densities, if moments are asked for.
template <typename Kind, typename T>
static bool skx_run_pass_of_kind(
    const skx_mixture_t &mixture, const skx_table_t<T> &table,
    const skx_mixture_input_t &input, const skx_mixture_output_t &output,
    double *log_likelihood, skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const Kind kind(mixture);
    const int64_t d = table.n_columns;
    const int64_t n_moments = mixture.n_components * Kind::n_moments(d);
    const int64_t size = output.moments ? n_moments + 1 : 0;
    const int64_t most = size == 0 ? 1024 : 64;
    const int64_t n_sums =
        std::min(most, std::max((int64_t)2, MIXTURE_MAX_SUMS / std::max(size, (int64_t)1)));
    const int64_t n_rows = std::max(
        (int64_t)MIXTURE_MIN_TASK, (table.n_rows + n_sums - 1) / n_sums);
    const skx_parts_t parts(
        table.n_rows, (n_rows + MIXTURE_BLOCK - 1) / MIXTURE_BLOCK * MIXTURE_BLOCK);
    std::vector<double> sums(parts.n_parts * size, 0.0);
    auto task = [&](int64_t part) {
        skx_mixture_block_t<T, Kind> block(kind, table, input, output);
        const skx_parts_t blocks(parts.length(part), MIXTURE_BLOCK);
        for (int64_t i = 0; i < blocks.n_parts; ++i) {
            block.run(
                parts.start(part) + blocks.start(i), blocks.length(i),
                sums.data() + part * size);
        }
    };
    const int64_t work = parts.size * mixture.n_components * (d + 4) * (d + 4);
    const int64_t n_at_once =
        std::max((int64_t)1, MIXTURE_WORK_AT_ONCE / work) * n_threads;
    if (!skx_run_tasks_while(
            parallel_for, parts.n_parts, n_at_once, n_threads, task, goes_on)) {
        return false;
    }
    if (output.moments) {
        skx_add_sums(sums.data(), parts.n_parts, size, parallel_for, n_threads);
        std::copy(sums.data(), sums.data() + n_moments, output.moments);
        *log_likelihood = sums[n_moments];
    }
    return true;
}

enum { MIXTURE_FULL, MIXTURE_TIED, MIXTURE_DIAGONAL };

template <typename T>
static bool skx_run_mixture_pass(
    int kind, const skx_mixture_t &mixture, const skx_table_t<T> &table,
    const skx_mixture_input_t &input, const skx_mixture_output_t &output,
    double *log_likelihood, skx_parallel_t parallel_for, int n_threads, int (*goes_on)()) {
    const auto run = kind == MIXTURE_FULL   ? skx_run_pass_of_kind<skx_full_kind_t, T>
                     : kind == MIXTURE_TIED ? skx_run_pass_of_kind<skx_tied_kind_t, T>
                                            : skx_run_pass_of_kind<skx_diagonal_kind_t, T>;
    return run(mixture, table, input, output, log_likelihood, parallel_for, n_threads, goes_on);
}
