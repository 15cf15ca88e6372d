// Numbers for pairs of levels of two categories: those that some rows have, in the order
// of the first level, then of the second.

#pragma once

#include <stdint.h>

#include <algorithm>
#include <new>
#include <vector>

// Levels of two columns. A missing value has the code -1, and is a level like any other.
typedef struct {
    const int32_t *first, *second;  // (n_rows,)
    int64_t n_rows, n_first, n_second;
} skx_level_pair_t;

// Number the pairs of the rows. OUT: starts (n_first + 2,), where the pairs of each first
// level begin, and their end; members, the second level of each pair; codes (n_rows,).
// Returns whether there was memory.
static bool skx_number_pairs(
    const skx_level_pair_t *pair, int64_t *starts, std::vector<int32_t> *members,
    int32_t *codes) {
    try {
        // Rows by first level, each list in their order.
        std::vector<int64_t> ends(pair->n_first + 2, 0);
        std::vector<uint32_t> rows(pair->n_rows);
        for (int64_t row = 0; row < pair->n_rows; ++row) ++ends[pair->first[row] + 2];
        for (int64_t a = 1; a < pair->n_first + 2; ++a) ends[a] += ends[a - 1];
        for (int64_t row = 0; row < pair->n_rows; ++row) {
            rows[ends[pair->first[row] + 1]++] = (uint32_t)row;
        }
        std::vector<int64_t> last_seen(pair->n_second + 1, -1);
        std::vector<int32_t> numbers(pair->n_second + 1);
        members->clear();
        int64_t begin = 0;
        for (int64_t a = 0; a < pair->n_first + 1; ++a) {
            const size_t first_member = members->size();
            starts[a] = (int64_t)first_member;
            const int64_t end = ends[a];
            for (int64_t i = begin; i < end; ++i) {
                const int32_t b = pair->second[rows[i]];
                if (last_seen[b + 1] == a) continue;
                last_seen[b + 1] = a;
                members->push_back(b);
            }
            std::sort(members->begin() + first_member, members->end());
            for (size_t k = first_member; k < members->size(); ++k) {
                numbers[(*members)[k] + 1] = (int32_t)k;
            }
            for (int64_t i = begin; i < end; ++i) {
                codes[rows[i]] = numbers[pair->second[rows[i]] + 1];
            }
            begin = end;
        }
        starts[pair->n_first + 1] = (int64_t)members->size();
    } catch (const std::bad_alloc &) {
        return false;
    }
    return true;
}

// Find the numbers of the pairs of other rows. IN: starts, members as above, `unknown`,
// the code of what is not there. OUT: codes (n_rows,).
static void skx_find_pairs(
    const skx_level_pair_t *pair, const int64_t *starts, const int32_t *members,
    int32_t unknown, int32_t *codes) {
    for (int64_t row = 0; row < pair->n_rows; ++row) {
        const int32_t a = pair->first[row], b = pair->second[row];
        codes[row] = unknown;
        const int32_t *const begin = members + starts[a + 1];
        const int32_t *const end = members + starts[a + 2];
        const int32_t *const found = std::lower_bound(begin, end, b);
        if (found < end && *found == b) codes[row] = (int32_t)(found - members);
    }
}
