"""The cache keeps one connection pool for the process, whichever thread asks."""

from concurrent.futures import ThreadPoolExecutor

from django.core.cache import cache, caches

from ir_portal.cache import SharedClient


def client_here() -> object:
    client = caches["default"]._cache
    assert isinstance(client, SharedClient)
    return client.get_client()


def test_what_is_kept_is_found_again() -> None:
    cache.set("words", {"lead": ["one", "two"]}, 60)
    assert cache.get("words") == {"lead": ["one", "two"]}
    assert cache.get_many(["words", "nothing"]) == {"words": {"lead": ["one", "two"]}}


def test_what_is_counted_goes_on_from_what_was_there() -> None:
    cache.set("number", 3, 60)
    assert cache.incr("number") == 4


def test_threads_share_the_client_and_with_it_the_connections() -> None:
    with ThreadPoolExecutor(1) as other:
        assert other.submit(client_here).result() is client_here()
