/** What the suites need of a test framework: vitest's, Jest's and `node:test`'s `describe` and `it` fit. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** An empty store of its own for each test. */
export interface StoreUnderTest<Store> {
  readonly store: Store
  /** Closes the store and opens it again on the same data; absent where nothing outlives a close. */
  readonly reopen?: () => Promise<Store>
  /** A second, independent way to the same data: another connection, process or instance. */
  readonly another?: () => Promise<Store>
  /** Called once, after each test. Closes whatever `reopen` and `another` opened, too. */
  readonly close: () => Promise<void>
}

export type Test<Store> = (title: string, body: (opened: StoreUnderTest<Store>) => Promise<void>) => void

export function testWith<Store>(open: () => Promise<StoreUnderTest<Store>>, runner: TestRunner): Test<Store> {
  return (title, body) => {
    runner.it(title, async () => {
      const opened = await open()
      try {
        await body(opened)
      } finally {
        await opened.close()
      }
    })
  }
}

/** Members in the order of their names, at every depth. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, ordered(member)]),
  )
}

/** Deep equality of data, without `node:assert`: the suites run wherever the package does. */
export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [found, wanted] = [JSON.stringify(ordered(actual)), JSON.stringify(ordered(expected))]
  if (found !== wanted) throw new Error(`${what}: expected ${wanted}, found ${found}`)
}
