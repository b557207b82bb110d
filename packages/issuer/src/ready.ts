import type { Context } from './context.ts'
import type { ReadyReport } from './types.ts'

const deadlineMs = 2_000

/** Ready when the store answers within 2 s and every ring can sign. Concurrent questions share one look. */
export function createReady(context: Context): () => Promise<ReadyReport> {
  let looking: Promise<ReadyReport> | undefined
  return () => {
    looking ??= look(context).finally(() => {
      looking = undefined
    })
    return looking
  }
}

async function look(context: Context): Promise<ReadyReport> {
  const checks = { store: (await storeAnswers(context)) ? 'ok' : 'failed', keys: canSign(context) ? 'ok' : 'failed' }
  return { status: checks.store === 'ok' && checks.keys === 'ok' ? 'ready' : 'unready', checks }
}

function storeAnswers(context: Context): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = context.clock.after(deadlineMs, () => resolve(false))
    const answer = (ok: boolean): void => {
      cancel()
      resolve(ok)
    }
    context.stores.check().then(
      () => answer(true),
      () => answer(false),
    )
  })
}

function canSign(context: Context): boolean {
  try {
    return context.rings.every((ring) => ring.signer.kid.length > 0)
  } catch {
    return false
  }
}
