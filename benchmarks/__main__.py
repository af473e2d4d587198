"""Run all benchmarks: `python -m benchmarks`, or some: `python -m benchmarks messages`."""

import sys

from benchmarks import messages, translation

ALL = {"messages": messages.main, "translation": translation.main}


def main():
    for name in sys.argv[1:] or ALL:
        if name not in ALL:
            sys.exit(f"no benchmark is called {name!r}; there are {', '.join(ALL)}")
        ALL[name]()
        print()


if __name__ == "__main__":
    main()
