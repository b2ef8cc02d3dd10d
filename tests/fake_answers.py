"""What a fake node can be scripted to answer instead of what it would by default."""

import grpc
from google.protobuf import any_pb2

from kvraft.v1 import error_pb2


def deny(code, reason, outcome="NOT_APPLIED", message="denied", domain="kvraft", **metadata):
    """An action that refuses with an ErrorInfo, as the service does."""

    def action(request, context):
        info = error_pb2.ErrorInfo(reason=reason, domain=domain)
        info.metadata["outcome"] = outcome
        for name, value in metadata.items():
            info.metadata[name] = str(value)
        detail = any_pb2.Any(
            type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString()
        )
        status = error_pb2.ErrorStatus(code=code.value[0], message=message, details=[detail])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
        context.abort(code, message)

    return action


def bare(code, message="bare"):
    """An action that fails without an ErrorInfo, as gRPC itself does."""
    return lambda request, context: context.abort(code, message)


def lost(action):
    """Let the node do what it is asked, then answer by `action`: the reply is lost."""

    def answer(request, context):
        return action(request, context)

    answer.afterwards = True
    return answer


NO_QUORUM = deny(grpc.StatusCode.UNAVAILABLE, "NO_QUORUM")
