interface Paged {
  next_cursor: string | null;
}

/** Yield pages until the last one; each is fetched when it is needed. */
export async function* pages<Page extends Paged>(
  fetchPage: (cursor: string | undefined) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let cursor: string | undefined;
  do {
    const page = await fetchPage(cursor);
    yield page;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** Yield the items of all pages. */
export async function* items<Page extends Paged, Item>(
  fetchPage: (cursor: string | undefined) => Promise<Page>,
  itemsOf: (page: Page) => Item[],
): AsyncGenerator<Item, void, undefined> {
  for await (const page of pages(fetchPage)) yield* itemsOf(page);
}
