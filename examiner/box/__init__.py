"""The walls around a student's process, built from system calls with the standard library alone.

The package runs in the student environment's Python, which gets it as source text, and it imports nothing
else of examiner.

    numbers, syscalls       the system calls that Python has no name for
    view, absent            which files can be read inside, and which packages cannot be imported
    privileges              becoming a user who owns nothing and has no capabilities
    namespaces, disk        where a candidate's files are: in a root of its own, or in a folder of the machine
    landlock                what may be done with files
    policy, seccomp         which system calls the kernel refuses
    limits, usage           how much may be used, and how much is used
    meter                   CPU time and memory of one process, measured from outside
    reaper                  ending what was started
    link                    the messages of a server that starts candidates
    walls                   which of these walls the machine has
    box                     all of them together: `enter_outer` once, then `Box.start` for each candidate
    attempts, siege,        attempts to break out, with and without walls, which prove that the walls hold
    selftest
"""
