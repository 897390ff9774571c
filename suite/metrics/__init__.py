"""The metric kernels: pure functions on arrays, which know no task and no method."""
