// Rows of a dense table in the order that the tiles of score_tiles.h read them.
#pragma once

#include "exact_distances.h"
#include "score_tiles.h"

// Write n <= 16 rows as a block, the rest as zeros, and their squared norms as they are
// after rounding. A row of too large numbers becomes zeros with an infinite norm. row(i)
// gives a pointer.
template <typename Row>
SKX_INLINE void skx_pack_block(
    const Row &row, int n, int64_t n_columns, const skx_frame_t &frame, float *block,
    float *squared_norms) {
    double sums[SKX_BLOCK] = {0};
    float tile[SKX_BLOCK][SKX_BLOCK];
    for (int i = n; i < SKX_BLOCK; ++i) {
        for (int k = 0; k < SKX_BLOCK; ++k) tile[i][k] = 0.0f;
    }
    for (int64_t first = 0; first < n_columns; first += SKX_BLOCK) {
        const int width = (int)std::min(n_columns - first, (int64_t)SKX_BLOCK);
        const double *shift = frame.shift + first;
        for (int i = 0; i < n; ++i) {
            const auto *values = row(i) + first;
            if (width == SKX_BLOCK) {
                for (int k = 0; k < SKX_BLOCK; ++k) {
                    tile[i][k] = (float)(((double)values[k] - shift[k]) * frame.scale);
                }
            } else {
                for (int k = 0; k < width; ++k) {
                    tile[i][k] = (float)(((double)values[k] - shift[k]) * frame.scale);
                }
            }
        }
        for (int k = 0; k < width; ++k) {
            float *out = block + (first + k) * SKX_BLOCK;
            for (int i = 0; i < SKX_BLOCK; ++i) out[i] = tile[i][k];
        }
        for (int k = 0; k < width; ++k) {
            const float *values = block + (first + k) * SKX_BLOCK;
            for (int i = 0; i < SKX_BLOCK; ++i) sums[i] += (double)values[i] * values[i];
        }
    }
    for (int i = 0; i < n; ++i) {
        if (!(sums[i] < SKX_MAX_NORM * SKX_MAX_NORM)) {
            for (int64_t k = 0; k < n_columns; ++k) block[k * SKX_BLOCK + i] = 0.0f;
            sums[i] = INFINITY;
        }
        squared_norms[i] = (float)sums[i];
    }
}

// A clone of `skx_pack_block` for each dtype. IN: row numbers, or NULL for consecutive
// rows from X on.
#define SKX_DEFINE_PACKING(T)                                                        \
    SKX_CLONES static void skx_pack_rows(                                            \
        const T *X, const int32_t *rows, int n, int64_t n_columns,                   \
        const skx_frame_t &frame, float *block, float *squared_norms) {              \
        auto row = [=](int i) {                                                      \
            return X + (rows ? (int64_t)rows[i] : (int64_t)i) * n_columns;           \
        };                                                                           \
        skx_pack_block(row, n, n_columns, frame, block, squared_norms);              \
    }
SKX_DEFINE_PACKING(double)
SKX_DEFINE_PACKING(float)
#undef SKX_DEFINE_PACKING

// A dense table, and where there is room for it all of its rows packed.
template <typename T>
struct skx_table_rows_t {
    const T *X;
    int64_t n_rows, n_columns;
    skx_frame_t frame;
    const float *blocks;    // (ceil(n_rows / 16), n_columns, 16) or NULL
    const float *squares;   // (n_rows,) in the frame; not read where blocks is NULL

    const T *row(int64_t i) const { return X + i * n_columns; }
};

// Up to three blocks of rows, on their way to the tiles.
struct skx_tile_t {
    int n_rows, n_blocks;
    const float *blocks[SKX_MAX_BLOCKS];
    float squares[SKX_TILE_ROWS];
    std::vector<float> buffer;

    explicit skx_tile_t(int64_t n_columns) : buffer(SKX_TILE_ROWS * n_columns) {
        std::fill(squares, squares + SKX_TILE_ROWS, 0.0f);
    }

    template <typename T>
    void pack(const T *X, const int32_t *rows, int n, int64_t n_columns,
              const skx_frame_t &frame) {
        n_rows = n;
        n_blocks = (n + SKX_BLOCK - 1) / SKX_BLOCK;
        for (int b = 0; b < n_blocks; ++b) {
            float *block = buffer.data() + b * SKX_BLOCK * n_columns;
            skx_pack_rows(
                rows ? X : X + SKX_BLOCK * b * n_columns, rows ? rows + SKX_BLOCK * b : NULL,
                std::min((int)SKX_BLOCK, n - SKX_BLOCK * b), n_columns, frame, block,
                squares + SKX_BLOCK * b);
            blocks[b] = block;
        }
    }

    // Consecutive rows; `start` is a multiple of 16.
    template <typename T>
    void load(const skx_table_rows_t<T> &table, int64_t start, int n) {
        if (!table.blocks) {
            pack(table.row(start), NULL, n, table.n_columns, table.frame);
            return;
        }
        n_rows = n;
        n_blocks = (n + SKX_BLOCK - 1) / SKX_BLOCK;
        for (int b = 0; b < n_blocks; ++b) {
            blocks[b] = table.blocks + (start + SKX_BLOCK * b) * table.n_columns;
        }
        memcpy(squares, table.squares + start, n * sizeof(float));
    }
};

// Pack a whole table. OUT: blocks, squares.
template <typename T>
static inline void skx_pack_table(
    const T *X, int64_t n_rows, int64_t n_columns, const double *shift, double scale,
    float *blocks, float *squares, skx_parallel_t run, int n_threads) {
    const skx_frame_t frame = {shift, scale};
    const skx_parts_t parts(n_rows, 960);
    auto pack = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        for (int64_t i = first; i < first + n; i += SKX_BLOCK) {
            skx_pack_rows(
                X + i * n_columns, NULL, (int)std::min(first + n - i, (int64_t)SKX_BLOCK),
                n_columns, frame, blocks + i * n_columns, squares + i);
        }
    };
    skx_run_tasks(run, parts.n_parts, n_threads, pack);
}

// Write a whole table in float32 row by row. OUT: values (n_rows, n_columns); squares
// (n_rows,), their squared norms. A row of too large numbers becomes zeros with an infinite
// norm.
#define SKX_DEFINE_ROUNDING(T)                                                       \
    SKX_CLONES static void skx_round_row(                                            \
        const T *SKX_RESTRICT X, int64_t n_columns, const skx_frame_t &frame,        \
        float *SKX_RESTRICT values) {                                                \
        const double *SKX_RESTRICT shift = frame.shift;                              \
        for (int64_t k = 0; k < n_columns; ++k) {                                    \
            values[k] = (float)(((double)X[k] - shift[k]) * frame.scale);            \
        }                                                                            \
    }
SKX_DEFINE_ROUNDING(double)
SKX_DEFINE_ROUNDING(float)
#undef SKX_DEFINE_ROUNDING

template <typename T>
static inline void skx_round_table(
    const T *X, int64_t n_rows, int64_t n_columns, const double *shift, double scale,
    float *values, float *squares, skx_parallel_t run, int n_threads) {
    const skx_frame_t frame = {shift, scale};
    const skx_parts_t parts(n_rows, 960);
    auto round = [&](int64_t part) {
        const int64_t first = parts.start(part), n = parts.length(part);
        for (int64_t i = first; i < first + n; ++i) {
            float *row = values + i * n_columns;
            skx_round_row(X + i * n_columns, n_columns, frame, row);
            double square = skx_find_square(row, n_columns);
            if (!(square < SKX_MAX_NORM * SKX_MAX_NORM)) {
                std::fill(row, row + n_columns, 0.0f);
                square = INFINITY;
            }
            squares[i] = (float)square;
        }
    };
    skx_run_tasks(run, parts.n_parts, n_threads, round);
}
