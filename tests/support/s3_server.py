"""An S3 server on this machine.

python -m tests.support.s3_server ADDRESS PORT        serves an empty bucket until it is stopped
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

KEY, SECRET = "AKIAPLANTEDPLANTED00", "planted/secret/planted/secret/planted000"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment of its clients; its address is part of the URI."""
SERVING = "serving"


@contextmanager
def serving(address: str, port: int) -> Iterator[str]:
    """Serves an empty bucket named `bucket`. Yields `host:port`; port 0 chooses a free port."""
    from moto.server import ThreadedMotoServer
    from pyarrow.fs import FileSystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address=address, port=port, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        running.start()
        host, port = running.get_host_and_port()
        system, _ = FileSystem.from_uri(f"{uri_of(f'{host}:{port}')}&allow_bucket_creation=true")
        system.create_dir("bucket")
        try:
            yield f"{host}:{port}"
        finally:
            running.stop()


def uri_of(place: str) -> str:
    """The bucket at `host:port`, as --storage takes it."""
    return f"s3://bucket?endpoint_override=http://{place}&scheme=http&region=us-east-1"


if __name__ == "__main__":
    with serving(sys.argv[1], int(sys.argv[2])):
        print(SERVING, flush=True)
        signal.pause()
