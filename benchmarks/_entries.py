"""Estimators of ours and of the peers, fitted in turns."""

from benchmarks._timing import measure, order_turn

OURS = "sklearnx"


def find_entries(case, peers):
    """The entries of a case that are installed and asked for, by name."""
    return {
        entry.name: entry
        for entry in case.entries
        if (entry.library == OURS or is_wanted(entry.library, peers))
        and entry.is_installed()
    }


def is_wanted(library, peers):
    return peers is None or any(library.startswith(name) for name in peers)


def fit_in_turns(entries, data, n_threads, n_repeats):
    """Models of the last turn and seconds of all, by name."""
    models, seconds = {}, {name: [] for name in entries}
    for turn in range(n_repeats):
        for name in order_turn(entries, turn):
            entry = entries[name]
            if entry.max_repeats is None or turn < entry.max_repeats:
                models[name], duration = measure(entry.fit_model, data, n_threads)
                seconds[name].append(duration)
    return models, seconds
