"""What a file is, by its content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.attachments.kinds import HEAD, KINDS, MAGIC, PROGRAMS, label_of, media_type_of, promised


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"%PDF-1.7\n", "application/pdf"),
        (b"\n\n junk %PDF-1.4", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"PK\x03\x04....", "application/zip"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x7fELF\x02\x01", "application/x-elf"),
        (b"MZ" + bytes(58) + (128).to_bytes(4, "little") + bytes(64) + b"PE\0\0", PROGRAMS[0]),
        (b"MZ" + bytes(70), PROGRAMS[0]),
        (b"MZ is how this note begins, and it goes on for more than sixty-four bytes of text.", "text/plain"),
        (b"\xcf\xfa\xed\xfe\x07\x00\x00\x01", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x02", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\x00\x00\x00\x34", "application/java-vm"),
        (bytes(257) + b"ustar\x0000", "application/x-tar"),
        (b"ElfFile\x00", "application/x-evtx"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "application/vnd.tcpdump.pcap"),
        (b"<!DOCTYPE html><title>x</title>", "text/html"),
        (b"  \n<script>alert(1)</script>", "text/html"),
        (b"Dear all, <iframe src=x>", "text/html"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b'<?xml version="1.0"?><a/>', "application/xml"),
        (b"#!/bin/sh\nrm -rf /\n", "text/x-script"),
        (b"Received: from a by b;\n\tMon, 1 Jan\nSubject: x\n\nHello", "message/rfc822"),
        (b"From: the north comes rain", "text/plain"),
        ("Übersicht,日本\n".encode(), "text/plain"),
        ("Übersicht".encode("utf-16"), "text/plain"),
        (b"\xef\xbb\xbfa;b;c", "text/plain"),
        (b"caf\xe9", "application/octet-stream"),
        (b"a\x00b", "application/octet-stream"),
        (bytes(range(128, 256)), "application/octet-stream"),
    ],
)
def test_the_content_says_what_it_is(head: bytes, media_type: str) -> None:
    assert media_type_of(head) == media_type


def test_a_letter_that_the_end_of_the_head_cuts_in_two_makes_no_text_data() -> None:
    assert media_type_of(("a" * (HEAD - 1) + "é").encode()[:HEAD]) == "text/plain"


def test_every_mark_leads_to_a_kind_with_a_word() -> None:
    assert {media_type for *_, media_type in MAGIC} | set(PROGRAMS) <= set(KINDS)
    assert label_of("application/pdf") == "PDF document"
    assert label_of("application/x-of-another-version") == "application/x-of-another-version"


@given(st.binary(max_size=400))
def test_any_bytes_are_of_some_kind(head: bytes) -> None:
    assert media_type_of(head) in KINDS


@pytest.mark.parametrize(
    ("name", "media_type", "said"),
    [
        ("invoice.pdf", "text/html", "PDF document"),
        ("invoice.PDF", "application/pdf", ""),
        ("table.xlsx", "application/zip", ""),
        ("table.csv", "text/plain", ""),
        ("note", "text/html", ""),
        ("photo.jpg", "application/vnd.microsoft.portable-executable", "JPEG image"),
        ("old.doc", "application/rtf", ""),
    ],
)
def test_a_name_that_promises_another_kind_is_noticed(name: str, media_type: str, said: str) -> None:
    assert promised(name, media_type) == said
