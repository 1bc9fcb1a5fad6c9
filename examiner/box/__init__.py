"""The walls around a student's process: our own code, by system calls, the standard library alone.

It runs in the student environment's Python, handed over as source, and imports nothing else of examiner.

    numbers, syscalls       what Python has no name for
    view, absent            what can be read inside, and what not even be found
    privileges              becoming somebody who owns nothing and may do nothing
    namespaces, disk        what a candidate stands on: a machine of its own, or a folder of this one
    landlock                what may be done with files
    policy, seccomp         which calls the kernel refuses
    limits, usage           how much may be used, and how much is
    reaper                  ending what was started
    walls                   which of these the machine has
    box                     all together: `enter_outer` once, then `Box.start` for each candidate
    attempts, siege,        breaking out, on a stage with and without walls, to prove that they stand
    selftest
"""
