"""The sandbox's page with more services than a menu takes: one types, and chooses what is found."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests import browsing
from tests.browsing import browser, form, page, say, screenshot, wait_for_text
from tests.sandboxes import sandbox
from tests.services import CHECKOUT, SEARCH

__all__ = ["browser", "page"]

pytestmark = browsing.MARKS


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The sandbox with the playbooks of a hundred services and more."""
    books = tmp_path / "books"
    books.mkdir()
    (books / "search.yml").write_text(SEARCH, encoding="utf-8")
    for number in range(110):
        book = CHECKOUT.replace("service: checkout", f"service: shop-{number}")
        book = book.replace("title: Checkout", f"title: Shop {number}")
        (books / f"shop-{number}.yml").write_text(book, encoding="utf-8")
    async with sandbox(tmp_path, "--playbooks", str(books)) as url:
        yield url


async def test_a_service_is_searched(page: Page) -> None:
    await say(page, "/incident declare It is odd")
    modal = await form(page)
    await modal.get_by_text("Choose a service", exact=True).click()
    options = page.get_by_role("option")
    await expect(options).to_have_count(0)
    await expect(page.get_by_text("Type to search")).to_be_visible()

    await page.get_by_label("Search options").fill("shop 10")
    await expect(options).to_have_text(["Shop 10", *(f"Shop {n}" for n in range(100, 110))])
    await screenshot(page, "search")
    await page.get_by_label("Search options").fill("sear")
    await options.filter(has_text="Search").click()

    await expect(modal.get_by_text("The index is stale")).to_be_visible()
    await expect(modal.locator(".select-value").first).to_have_text("Search")
    await modal.get_by_label("The index is stale").check()
    await expect(modal.get_by_text("This looks like")).to_be_attached()
    await page.get_by_test_id("modal-submit").click()
    await wait_for_text(page, "Declared SEV-1 INC-1")


async def test_nothing_found_is_said(page: Page) -> None:
    await say(page, "/incident declare It is odd")
    modal = await form(page)
    await modal.get_by_text("Choose a service", exact=True).click()

    await page.get_by_label("Search options").fill("zzzz")

    await expect(page.get_by_text("No matches")).to_be_visible()
