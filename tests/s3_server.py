"""A server of the S3 protocol on this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

KEY, SECRET = "AKIAPLANTEDPLANTED00", "planted/secret/planted/secret/planted000"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of an empty bucket, as --storage takes it."""
    server = pytest.importorskip("moto.server", reason="no server of the S3 protocol: moto is not installed")
    from pyarrow.fs import FileSystem

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        running.start()
        host, port = running.get_host_and_port()
        options = f"endpoint_override=http://{host}:{port}&scheme=http&region=us-east-1"
        system, _ = FileSystem.from_uri(f"s3://bucket?{options}&allow_bucket_creation=true")
        system.create_dir("bucket")
        yield f"s3://bucket?{options}"
        running.stop()
