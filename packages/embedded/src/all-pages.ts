/** The largest page that the issuer gives. */
const pageSize = 1_000

/** Everything that a paged list has, page after page. */
export async function allPages<T>(
  read: (page: { readonly after?: string; readonly limit: number }) => Promise<readonly T[]>,
  nameOf: (entry: T) => string,
): Promise<readonly T[]> {
  const all: T[] = []
  for (;;) {
    const last = all.at(-1)
    const page = await read({ limit: pageSize, ...(last === undefined ? {} : { after: nameOf(last) }) })
    all.push(...page)
    if (page.length < pageSize) return all
  }
}
