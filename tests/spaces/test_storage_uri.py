"""Addresses of storage: which are accepted, and that addresses with secrets are refused."""

from __future__ import annotations

import pytest

from spaces.errors import InputError
from spaces.storage_uri import checked_uri, join_uri
from trainable.files import object_store


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("s3://bucket", "s3://bucket"),
        ("file:///a/b", "file:///a/b"),
        ("abfss://container@account.dfs.core.windows.net/a", "abfss://container@account.dfs.core.windows.net/a"),
        ("s3://b/p/?endpoint_override=h:1&scheme=http", "s3://b/p?endpoint_override=h:1&scheme=http"),
    ],
)
def test_valid_addresses_are_accepted(typed: str, kept: str) -> None:
    assert checked_uri(typed) == kept
    assert join_uri(kept, "ray").partition("?")[0] == f"{kept.partition('?')[0]}/ray"


@pytest.mark.parametrize(
    "typed", ["", "bucket/prefix", "/a/b", "s3:bucket", "s3://", "file://host/a", "file:///", "s3://b/../c", "http://["]
)
def test_invalid_addresses_are_refused(typed: str) -> None:
    with pytest.raises(InputError, match="expected an address"):
        checked_uri(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "s3://AKIA:hush@bucket/p",
        "s3://AKIAHUSH@bucket/p",
        "s3://bucket/p?secret_key=hush",
        "abfss://account:hush@x/p",
        "s3://bucket/p?Access-Key=hush",
        "s3://bucket/p?endpoint_override=http://user:hush%40host",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(InputError, match="instance profile") as raised:
        checked_uri(typed)
    assert "hush" not in str(raised.value).lower() and "AKIA" not in str(raised.value)


def test_an_address_that_pyarrow_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="does not understand"):
        object_store.ObjectStore("ftp://host/a").listing("")
