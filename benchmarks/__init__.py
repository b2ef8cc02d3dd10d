"""Benchmarks, run by `make bench`; peers are driven by the same gRPC, polled in the same way."""

from kvraft.grpc_polling import choose_polling

choose_polling()
