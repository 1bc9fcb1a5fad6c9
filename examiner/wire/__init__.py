"""The wire between judge and candidate: plain data in bytes, shared memory for arrays, framed messages."""
