// The inner loops of a mixture for one set of instructions (see mixture_tiles.h, which
// includes this file once for each). They work on panels of 16 rows,
//
//     panel[j][0..15]        j = 0, ..., n_columns - 1,
//
// rows side by side in the registers, so that triangles cost no more than they hold.
//
// Each sum runs over its terms in ascending order, whatever the width of registers, so
// that all sets with fused multiply-adds give the same bits.
//
// A set defines, and at the end loses, SKX_TILE(name), SKX_TILE_TARGET, the type SKX_VEC of
// SKX_VEC_LANES doubles with SKX_LOAD, SKX_STORE, SKX_SET1 and SKX_FMA(a, b, c) = a * b + c,
// and the size of its tiles: SKX_TILE_OUTPUTS (up to 8) and SKX_TILE_SIDE (up to 4).

// Products with W neighbouring columns of an upper triangular matrix, the first of which
// has `top` values above its triangle:
//
//     y_m = sum_{j <= m} z_j U_jm
//
// IN: factors, row by row: top * W values, then the rows of the triangle, from W values
// to one. OUT: y (W, 16) if STORES, else their squares are added to out (16).
template <int W, bool STORES>
SKX_TILE_TARGET static inline void SKX_TILE(project_columns)(
    const double *z, const double *factors, int64_t top, double *out) {
    for (int row = 0; row < MIXTURE_PANEL; row += 2 * SKX_VEC_LANES) {
        SKX_VEC sums[W][2];
        for (int m = 0; m < W; ++m) sums[m][0] = sums[m][1] = SKX_SET1(0.0);
        const double *f = factors, *of_row = z + row;
        for (int64_t j = 0; j < top; ++j, f += W, of_row += MIXTURE_PANEL) {
            const SKX_VEC low = SKX_LOAD(of_row), high = SKX_LOAD(of_row + SKX_VEC_LANES);
            SKX_UNROLL
            for (int m = 0; m < W; ++m) {
                const SKX_VEC factor = SKX_SET1(f[m]);
                sums[m][0] = SKX_FMA(factor, low, sums[m][0]);
                sums[m][1] = SKX_FMA(factor, high, sums[m][1]);
            }
        }
        SKX_UNROLL
        for (int j = 0; j < W; ++j) {
            const SKX_VEC low = SKX_LOAD(of_row), high = SKX_LOAD(of_row + SKX_VEC_LANES);
            SKX_UNROLL
            for (int m = j; m < W; ++m) {
                const SKX_VEC factor = SKX_SET1(f[m - j]);
                sums[m][0] = SKX_FMA(factor, low, sums[m][0]);
                sums[m][1] = SKX_FMA(factor, high, sums[m][1]);
            }
            f += W - j;
            of_row += MIXTURE_PANEL;
        }
        for (int half = 0; half < 2; ++half) {
            double *place = out + row + half * SKX_VEC_LANES;
            if (STORES) {
                for (int m = 0; m < W; ++m) {
                    SKX_STORE(place + m * MIXTURE_PANEL, sums[m][half]);
                }
            } else {
                SKX_VEC total = SKX_LOAD(place);
                for (int m = 0; m < W; ++m) {
                    total = SKX_FMA(sums[m][half], sums[m][half], total);
                }
                SKX_STORE(place, total);
            }
        }
    }
}

// The same with all columns. OUT: out (n_columns, 16) if STORES, else (16).
template <bool STORES>
SKX_TILE_TARGET static inline void SKX_TILE(project)(
    const double *z, const double *factors, int64_t n_columns, double *out) {
    for (int64_t top = 0; top < n_columns; top += SKX_TILE_OUTPUTS) {
        const int64_t left = n_columns - top;
        const int width = (int)(left < SKX_TILE_OUTPUTS ? left : SKX_TILE_OUTPUTS);
        switch (width) {
            case 1: SKX_TILE(project_columns)<1, STORES>(z, factors, top, out); break;
            case 2: SKX_TILE(project_columns)<2, STORES>(z, factors, top, out); break;
            case 3: SKX_TILE(project_columns)<3, STORES>(z, factors, top, out); break;
#if SKX_TILE_OUTPUTS > 4
            case 4: SKX_TILE(project_columns)<4, STORES>(z, factors, top, out); break;
            case 5: SKX_TILE(project_columns)<5, STORES>(z, factors, top, out); break;
            case 6: SKX_TILE(project_columns)<6, STORES>(z, factors, top, out); break;
            case 7: SKX_TILE(project_columns)<7, STORES>(z, factors, top, out); break;
#endif
            default:
                SKX_TILE(project_columns)<SKX_TILE_OUTPUTS, STORES>(z, factors, top, out);
        }
        factors += top * width + width * (width + 1) / 2;
        if (STORES) out += width * MIXTURE_PANEL;
    }
}

// out (n_columns, 16) = factors (16) * (panel - centre); factors may be NULL for ones.
SKX_TILE_TARGET static inline void SKX_TILE(centre)(
    const double *panel, const double *centre, int64_t n_columns, const double *factors,
    double *out) {
    for (int row = 0; row < MIXTURE_PANEL; row += SKX_VEC_LANES) {
        const SKX_VEC factor = factors ? SKX_LOAD(factors + row) : SKX_SET1(1.0);
        for (int64_t j = 0; j < n_columns; ++j) {
            const int64_t place = MIXTURE_PANEL * j + row;
            const SKX_VEC z = SKX_LOAD(panel + place) - SKX_SET1(centre[j]);
            SKX_STORE(out + place, factors ? factor * z : z);
        }
    }
}

// out[row] = |U^T (x - mean)|^2 of all rows. z is room for a panel.
SKX_TILE_TARGET static void SKX_TILE(find_full_distances)(
    const double *panels, int64_t n_panels, int64_t n_columns, const double *mean,
    const double *factors, double *z, double *out) {
    for (int64_t p = 0; p < n_panels; ++p) {
        const double *panel = panels + p * n_columns * MIXTURE_PANEL;
        double *of_panel = out + p * MIXTURE_PANEL;
        SKX_TILE(centre)(panel, mean, n_columns, NULL, z);
        for (int row = 0; row < MIXTURE_PANEL; ++row) of_panel[row] = 0.0;
        SKX_TILE(project)<false>(z, factors, n_columns, of_panel);
    }
}

// projected (n_panels, n_columns, 16) = U^T (x - centre).
SKX_TILE_TARGET static void SKX_TILE(project_panels)(
    const double *panels, int64_t n_panels, int64_t n_columns, const double *centre,
    const double *factors, double *z, double *projected) {
    const int64_t size = n_columns * MIXTURE_PANEL;
    for (int64_t p = 0; p < n_panels; ++p) {
        SKX_TILE(centre)(panels + p * size, centre, n_columns, NULL, z);
        SKX_TILE(project)<true>(z, factors, n_columns, projected + p * size);
    }
}

// out[row] = sum_j (scale_j (x_j - centre_j))^2 of all rows; scale may be NULL for ones.
SKX_TILE_TARGET static void SKX_TILE(find_scaled_distances)(
    const double *panels, int64_t n_panels, int64_t n_columns, const double *centre,
    const double *scale, double *out) {
    for (int64_t p = 0; p < n_panels; ++p) {
        for (int row = 0; row < MIXTURE_PANEL; row += 2 * SKX_VEC_LANES) {
            const double *x = panels + p * n_columns * MIXTURE_PANEL + row;
            SKX_VEC low = SKX_SET1(0.0), high = SKX_SET1(0.0);
            for (int64_t j = 0; j < n_columns; ++j, x += MIXTURE_PANEL) {
                const SKX_VEC at = SKX_SET1(centre[j]);
                SKX_VEC a = SKX_LOAD(x) - at, b = SKX_LOAD(x + SKX_VEC_LANES) - at;
                if (scale) {
                    const SKX_VEC factor = SKX_SET1(scale[j]);
                    a = a * factor;
                    b = b * factor;
                }
                low = SKX_FMA(a, a, low);
                high = SKX_FMA(b, b, high);
            }
            SKX_STORE(out + p * MIXTURE_PANEL + row, low);
            SKX_STORE(out + p * MIXTURE_PANEL + row + SKX_VEC_LANES, high);
        }
    }
}

// Products of NA columns from a on with NB from b on, summed over all rows, are added to
// sums, the lower triangle row by row. Rows are summed in eight lanes, then these.
template <int NA, int NB, bool IS_DIAGONAL>
SKX_TILE_TARGET static inline void SKX_TILE(add_tile)(
    const double *panels, int64_t n_panels, int64_t n_columns, int64_t a, int64_t b,
    double *sums) {
    double of_lanes[NA][NB][8];
    for (int part = 0; part < 8; part += SKX_VEC_LANES) {
        SKX_VEC tile[NA][NB];
        for (int i = 0; i < NA; ++i) {
            for (int j = 0; j < NB; ++j) tile[i][j] = SKX_SET1(0.0);
        }
        const double *A = panels + a * MIXTURE_PANEL + part;
        const double *B = panels + b * MIXTURE_PANEL + part;
        for (int64_t p = 0; p < n_panels; ++p) {
            for (int half = 0; half < MIXTURE_PANEL; half += 8) {
                SKX_VEC left[NA];
                SKX_UNROLL
                for (int i = 0; i < NA; ++i) left[i] = SKX_LOAD(A + i * MIXTURE_PANEL + half);
                SKX_UNROLL
                for (int j = 0; j < NB; ++j) {
                    const SKX_VEC right =
                        IS_DIAGONAL ? left[j] : SKX_LOAD(B + j * MIXTURE_PANEL + half);
                    SKX_UNROLL
                    for (int i = IS_DIAGONAL ? j : 0; i < NA; ++i) {
                        tile[i][j] = SKX_FMA(left[i], right, tile[i][j]);
                    }
                }
            }
            A += n_columns * MIXTURE_PANEL;
            B += n_columns * MIXTURE_PANEL;
        }
        for (int i = 0; i < NA; ++i) {
            for (int j = 0; j < NB; ++j) SKX_STORE(&of_lanes[i][j][part], tile[i][j]);
        }
    }
    for (int i = 0; i < NA; ++i) {
        double *row = sums + (a + i) * (a + i + 1) / 2 + b;
        for (int j = 0; j < (IS_DIAGONAL ? i + 1 : NB); ++j) {
            const double *lanes = of_lanes[i][j];
            row[j] += ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                      ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
        }
    }
}

// A row of tiles: NA columns with all up to them.
template <int NA>
SKX_TILE_TARGET static inline void SKX_TILE(add_tiles)(
    const double *panels, int64_t n_panels, int64_t n_columns, int64_t a, double *sums) {
    for (int64_t b = 0; b < a; b += SKX_TILE_SIDE) {
        SKX_TILE(add_tile)<NA, SKX_TILE_SIDE, false>(panels, n_panels, n_columns, a, b, sums);
    }
    SKX_TILE(add_tile)<NA, NA, true>(panels, n_panels, n_columns, a, a, sums);
}

// sums += panels^T panels: the lower triangle, row by row.
SKX_TILE_TARGET static void SKX_TILE(add_products)(
    const double *panels, int64_t n_panels, int64_t n_columns, double *sums) {
    for (int64_t a = 0; a < n_columns; a += SKX_TILE_SIDE) {
        switch (n_columns - a) {
            case 1: SKX_TILE(add_tiles)<1>(panels, n_panels, n_columns, a, sums); break;
#if SKX_TILE_SIDE > 2
            case 2: SKX_TILE(add_tiles)<2>(panels, n_panels, n_columns, a, sums); break;
            case 3: SKX_TILE(add_tiles)<3>(panels, n_panels, n_columns, a, sums); break;
#endif
            default:
                SKX_TILE(add_tiles)<SKX_TILE_SIDE>(panels, n_panels, n_columns, a, sums);
        }
    }
}

#undef SKX_TILE
#undef SKX_TILE_TARGET
#undef SKX_VEC
#undef SKX_VEC_LANES
#undef SKX_LOAD
#undef SKX_STORE
#undef SKX_SET1
#undef SKX_FMA
#undef SKX_TILE_OUTPUTS
#undef SKX_TILE_SIDE
