import type { CommandContext } from '../context.ts'
import { personalFolder } from './personal-folder.ts'
import type { SessionStore } from './session-store.ts'
import { explainDamage } from './store-damage.ts'

/** Opens the store of the person's own sessions, which is made where there is none, and closes it whatever comes. */
export async function withNewSessions<T>(
  context: CommandContext,
  work: (store: SessionStore) => Promise<T>,
): Promise<T> {
  return await withStore(context, true, (store) => {
    if (store === undefined) throw new Error('the session store was not made')
    return work(store)
  })
}

/** The same where there is one. */
export async function withSessions<T>(
  context: CommandContext,
  work: (store: SessionStore | undefined) => Promise<T>,
): Promise<T> {
  return await withStore(context, false, work)
}

async function withStore<T>(
  { io, out }: CommandContext,
  create: boolean,
  work: (store: SessionStore | undefined) => Promise<T>,
): Promise<T> {
  const folder = personalFolder(io.env)
  let store: SessionStore | undefined
  try {
    // Loaded when needed: `--help` should not wait for a database driver.
    const { openSessionStore } = await import('./session-store.ts')
    const onWait = (): void => out.note('another countersign is at it; waiting …')
    store = await openSessionStore(io, { create, onWait })
    return await work(store)
  } catch (error) {
    throw explainDamage(folder, error)
  } finally {
    await store?.close()
  }
}
