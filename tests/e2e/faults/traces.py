"""A search for a user_id in every version of every object of both buckets."""

import gzip
import io
import json
import zlib
from collections.abc import Iterator

import pyarrow.parquet

from music_streams.stack import Stack


def traces_of(stack: Stack, user_id: int) -> list[str]:
    """Return the keys of the objects that contain the id, as text or, in Parquet and Avro, as a number."""
    return [key for key, content in _objects(stack) if _contains(content, user_id)]


def _objects(stack: Stack) -> Iterator[tuple[str, bytes]]:
    for bucket in (stack.landing_bucket, stack.lake_bucket):
        for page in stack.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", []):
                version = {"VersionId": item["VersionId"]} if item["VersionId"] != "null" else {}
                response = stack.s3.get_object(Bucket=bucket, Key=item["Key"], **version)  # type: ignore[arg-type]  # VersionId or nothing
                yield item["Key"], response["Body"].read()


def _contains(content: bytes, user_id: int) -> bool:
    if content.startswith(b"PAR1"):
        rows = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
        return str(user_id) in json.dumps(rows, default=str)
    if content.startswith(b"Obj\x01"):
        content = b"".join(_avro_blocks(io.BytesIO(content)))
        return user_id.to_bytes(8, "little") in content or str(user_id).encode() in content
    return str(user_id).encode() in (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)


def _avro_blocks(file: io.BytesIO) -> Iterator[bytes]:
    """Yield the header and the decompressed blocks of an Avro file.

    https://avro.apache.org/docs/1.11.1/specification/#object-container-files
    """
    file.read(4)
    header: dict[bytes, bytes] = {}
    while count := _avro_long(file):
        for _ in range(count):
            name = file.read(_avro_long(file))
            header[name] = file.read(_avro_long(file))
    yield b"".join(header.values())
    file.read(16)
    while file.tell() < file.getbuffer().nbytes:  # codespell:ignore tell - a method of files
        _avro_long(file)
        block = file.read(_avro_long(file))
        yield zlib.decompress(block, wbits=-15) if header[b"avro.codec"] == b"deflate" else block
        file.read(16)


def _avro_long(file: io.BytesIO) -> int:
    number, shift = 0, 0
    while True:
        [byte] = file.read(1)
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1)
