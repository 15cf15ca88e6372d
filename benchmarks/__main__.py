"""``python -m benchmarks SUBJECT [options]``; a subject is a file beside this one."""

import importlib
import pkgutil
import sys

import benchmarks


def find_subjects():
    """Names of the files of this folder that hold a benchmark."""
    modules = pkgutil.iter_modules(benchmarks.__path__)
    return [module.name for module in modules if not module.name.startswith("_")]


def main(arguments):
    subjects = find_subjects()
    if not arguments or arguments[0] not in subjects:
        print("usage: python -m benchmarks SUBJECT [options]\n\nsubjects:")
        for subject in subjects:
            module = importlib.import_module(f"benchmarks.{subject}")
            print(f"  {subject:<12} {module.__doc__.splitlines()[0]}")
        return 0 if arguments in ([], ["-h"], ["--help"]) else 2
    module = importlib.import_module(f"benchmarks.{arguments[0]}")
    return module.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
