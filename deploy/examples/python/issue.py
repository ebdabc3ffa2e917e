"""Issues a certificate through each of the given nodes: issue.py CA_FILE TOKEN ROLE NODE [NODE...]"""

import sys
import uuid

import grpc
from lockstep.pki.v1 import pki_pb2, pki_pb2_grpc

ca_file, token, role, *nodes = sys.argv[1:]
with open(ca_file, "rb") as file:
    credentials = grpc.ssl_channel_credentials(file.read())

for number, node in enumerate(nodes):
    with grpc.secure_channel(node, credentials) as channel:
        request = pki_pb2.IssueCertificateRequest(role=role, common_name=f"python-{number}.example.com", ttl="1h")
        # With a key of its own, a call that got no answer may be sent again, to any node.
        metadata = [("authorization", f"Bearer {token}"), ("idempotency-key", str(uuid.uuid4()))]
        try:
            issued = pki_pb2_grpc.PkiServiceStub(channel).IssueCertificate(request, timeout=10, metadata=metadata)
        except grpc.RpcError as error:
            sys.exit(f"{node}: {error.code().name}: {error.details()}")
        print(f"{node} issued {issued.serial_number}")
        print(issued.certificate)
