# Shows everything it is told to: on its output, and in files that somebody may carry out of the box.
import os
import sys
from pathlib import Path

PLACES = (".", "..", "/tmp", Path.home(), "@COURSE@", "@COURSE@/feedback", "@COURSE@/release")


def show(name, text):
    text = text if isinstance(text, str) else repr(text)
    sys.stdout.write(f"{name} {text[:200_000]}\n")
    for place in PLACES:
        try:
            with Path(place, f"left-by-an-attack-{name}.txt").open("a") as file:
                file.write(text)
        except OSError:
            continue


def show_file(path):
    try:
        text = Path(path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return
    show(Path(path).name, text)


def show_tree(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            if name.endswith((".ipynb", ".db", ".csv", ".toml", ".json", ".html", ".py", ".log")):
                show_file(Path(path, name))
