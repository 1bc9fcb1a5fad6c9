# Starts something that wants to go on living: a grandchild in a session of its own, and a thread.
import os
import threading


def daemon(work):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        work()
    finally:
        os._exit(0)


def thread(work):
    threading.Thread(target=work, daemon=True).start()
