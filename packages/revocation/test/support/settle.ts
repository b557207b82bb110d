const { prototype } = SubtleCrypto
let atWork = 0

/** Counts what WebCrypto has under way: its threads answer when they please, also under load. */
for (const name of ['digest', 'sign', 'verify'] as const) {
  const own: (...args: never[]) => Promise<unknown> = prototype[name]
  Object.assign(prototype, {
    [name](this: SubtleCrypto, ...args: never[]) {
      atWork += 1
      return own.apply(this, args).finally(() => {
        atWork -= 1
      })
    },
  })
}

/** Turns without work after which nothing more comes of what was begun. */
const quietTurns = 4

/** Lets everything that waits for nothing but its turn, or for WebCrypto, have it. */
export async function settle(): Promise<void> {
  for (let quiet = 0; quiet < quietTurns; quiet++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (atWork > 0) quiet = -1
  }
}
