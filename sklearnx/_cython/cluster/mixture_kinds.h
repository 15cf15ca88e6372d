// Kinds of covariances: how distances come from the rows of a block, and which moments of
// a component. A kind is made once for a pass over the table; its room is a thread's.
//
// With responsibilities r and about a point c near the component, so that nothing cancels,
// the moments of each component are
//
//     full               sum r z z^T, sum r z, sum r      z = x - c, lower triangle
//     tied, diagonal     sum r, sum r z, sum r z^2
//
// The first are one product with itself of the table of rows sqrt(r) (z, 1).

#pragma once

#include <math.h>
#include <stdint.h>

#include <vector>

#include "mixture_tiles.h"

// The parameters of a mixture, IN. `factors` is by kind: upper triangular matrices U of
// the precisions U U^T, row by row, one for each component (full) or for all (tied), or
// the roots of the precisions, (n_components, n_columns).
struct skx_mixture_t {
    int64_t n_components, n_columns;
    const double *means, *factors;
    const double *centres;    // of the moments, (n_components, n_columns)
    const double *constants;  // of the log densities, (n_components,)
    const double *origin;     // somewhere among the rows: only for tied
};

// Columns from `top` on side by side, as skx_project_columns reads them.
static inline void skx_pack_triangle(
    const double *U, int64_t n_columns, int n_outputs, double *packed) {
    for (int64_t top = 0; top < n_columns; top += n_outputs) {
        const int64_t end = top + n_outputs < n_columns ? top + n_outputs : n_columns;
        for (int64_t j = 0; j < end; ++j) {
            for (int64_t m = j > top ? j : top; m < end; ++m) *packed++ = U[j * n_columns + m];
        }
    }
}

// The moments sum r, sum r z, sum r z^2.
SKX_CLONES static void skx_add_diagonal_moments(
    const double *panels, int64_t n_panels, int64_t n_columns, const double *centre,
    const double *resp, double *sums) {
    double lanes[8] = {0};
    for (int64_t row = 0; row < n_panels * MIXTURE_PANEL; row += 8) {
        for (int i = 0; i < 8; ++i) lanes[i] += resp[row + i];
    }
    sums[0] += ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
               ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
    for (int64_t j = 0; j < n_columns; ++j) {
        double first[8] = {0}, second[8] = {0};
        const double at = centre[j];
        for (int64_t p = 0; p < n_panels; ++p) {
            const double *x = panels + (p * n_columns + j) * MIXTURE_PANEL;
            const double *r = resp + p * MIXTURE_PANEL;
            for (int half = 0; half < MIXTURE_PANEL; half += 8) {
                for (int i = 0; i < 8; ++i) {
                    const double z = x[half + i] - at;
                    const double rz = r[half + i] * z;
                    first[i] += rz;
                    second[i] += rz * z;
                }
            }
        }
        sums[1 + j] += ((first[0] + first[4]) + (first[2] + first[6])) +
                       ((first[1] + first[5]) + (first[3] + first[7]));
        sums[1 + n_columns + j] += ((second[0] + second[4]) + (second[2] + second[6])) +
                                   ((second[1] + second[5]) + (second[3] + second[7]));
    }
}

struct skx_room_t {
    std::vector<double> z, of_block;
};

struct skx_full_kind_t {
    const skx_mixture_t m;
    const skx_mixture_tiles_t &tiles;
    int64_t packed_size;
    std::vector<double> packed;

    // Without factors, moments only.
    explicit skx_full_kind_t(const skx_mixture_t &mixture)
        : m(mixture), tiles(skx_mixture_tiles()),
          packed_size(m.n_columns * (m.n_columns + 1) / 2) {
        if (m.factors == NULL) return;
        packed.resize(m.n_components * packed_size);
        for (int64_t k = 0; k < m.n_components; ++k) {
            skx_pack_triangle(
                m.factors + k * m.n_columns * m.n_columns, m.n_columns, tiles.n_outputs,
                packed.data() + k * packed_size);
        }
    }
    static int64_t n_moments(int64_t n_columns) {
        return (n_columns + 1) * (n_columns + 2) / 2;
    }
    void make_room(int64_t n_rows, skx_room_t *room) const {
        room->z.resize(m.n_columns * MIXTURE_PANEL);
        room->of_block.resize((m.n_columns + 1) * n_rows);
    }
    void start_block(const double *, int64_t, skx_room_t *) const {}
    void find_distances(
        const double *panels, int64_t n_panels, int64_t k, skx_room_t *room,
        double *out) const {
        tiles.find_full_distances(
            panels, n_panels, m.n_columns, m.means + k * m.n_columns,
            packed.data() + k * packed_size, room->z.data(), out);
    }
    // Panels without any responsibility are left out.
    void add_moments(
        const double *panels, int64_t n_panels, int64_t k, const double *resp,
        skx_room_t *room, double *sums) const {
        const int64_t d = m.n_columns;
        double *place = room->of_block.data();
        int64_t n_taken = 0;
        for (int64_t p = 0; p < n_panels; ++p, resp += MIXTURE_PANEL) {
            double roots[MIXTURE_PANEL];
            bool is_empty = true;
            for (int row = 0; row < MIXTURE_PANEL; ++row) {
                is_empty = is_empty && resp[row] == 0.0;
            }
            if (is_empty) continue;
            for (int row = 0; row < MIXTURE_PANEL; ++row) roots[row] = sqrt(resp[row]);
            tiles.centre(panels + p * d * MIXTURE_PANEL, m.centres + k * d, d, roots, place);
            for (int row = 0; row < MIXTURE_PANEL; ++row) {
                place[d * MIXTURE_PANEL + row] = roots[row];
            }
            place += (d + 1) * MIXTURE_PANEL;
            ++n_taken;
        }
        if (n_taken > 0) tiles.add_products(room->of_block.data(), n_taken, d + 1, sums);
    }
};

struct skx_diagonal_kind_t {
    const skx_mixture_t m;
    const skx_mixture_tiles_t &tiles;

    explicit skx_diagonal_kind_t(const skx_mixture_t &mixture)
        : m(mixture), tiles(skx_mixture_tiles()) {}
    static int64_t n_moments(int64_t n_columns) { return 1 + 2 * n_columns; }
    void make_room(int64_t, skx_room_t *) const {}
    void start_block(const double *, int64_t, skx_room_t *) const {}
    void find_distances(
        const double *panels, int64_t n_panels, int64_t k, skx_room_t *, double *out) const {
        tiles.find_scaled_distances(
            panels, n_panels, m.n_columns, m.means + k * m.n_columns,
            m.factors + k * m.n_columns, out);
    }
    void add_moments(
        const double *panels, int64_t n_panels, int64_t k, const double *resp, skx_room_t *,
        double *sums) const {
        skx_add_diagonal_moments(
            panels, n_panels, m.n_columns, m.centres + k * m.n_columns, resp, sums);
    }
};

// Rows and means go through U once; the distances are those of their images.
struct skx_tied_kind_t : skx_diagonal_kind_t {
    std::vector<double> packed, images;

    explicit skx_tied_kind_t(const skx_mixture_t &mixture) : skx_diagonal_kind_t(mixture) {
        const int64_t d = m.n_columns;
        if (m.factors == NULL) return;
        packed.resize(d * (d + 1) / 2);
        skx_pack_triangle(m.factors, d, tiles.n_outputs, packed.data());
        images.assign(m.n_components * d, 0.0);
        for (int64_t k = 0; k < m.n_components; ++k) {
            for (int64_t j = 0; j < d; ++j) {
                const double z = m.means[k * d + j] - m.origin[j];
                for (int64_t i = j; i < d; ++i) images[k * d + i] += z * m.factors[j * d + i];
            }
        }
    }
    void make_room(int64_t n_rows, skx_room_t *room) const {
        room->z.resize(m.n_columns * MIXTURE_PANEL);
        room->of_block.resize(m.n_columns * n_rows);
    }
    void start_block(const double *panels, int64_t n_panels, skx_room_t *room) const {
        tiles.project_panels(
            panels, n_panels, m.n_columns, m.origin, packed.data(), room->z.data(),
            room->of_block.data());
    }
    void find_distances(
        const double *, int64_t n_panels, int64_t k, skx_room_t *room, double *out) const {
        tiles.find_scaled_distances(
            room->of_block.data(), n_panels, m.n_columns, images.data() + k * m.n_columns,
            NULL, out);
    }
};
