// A hint to the cache; nothing where the compiler has none.

#pragma once

#if defined(__GNUC__) || defined(__clang__)
#define SKX_PREFETCH(address) __builtin_prefetch(address)
#else
#define SKX_PREFETCH(address) ((void)(address))
#endif
