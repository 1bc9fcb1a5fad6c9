"""The wire between judge and candidate: plain data as bytes, arrays in shared memory, messages in frames."""
