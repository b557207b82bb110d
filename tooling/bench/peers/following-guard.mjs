// usage: forked, following-guard.mjs ISSUER push|poll
// A guard that follows an issuer's feed. Takes tokens from its parent, one a message, and tells it by the machine's
// monotonic clock when each was first refused as revoked: it asks `admit` whenever something changed.

import { createGuard } from '@countersign/guard'
import { followRevocations } from '@countersign/revocation'

const [issuer = '', how = ''] = process.argv.slice(2)

/** The stream never comes about: the follower polls. @type {typeof fetch} */
const withoutStream = (input, init) =>
  String(input).endsWith('/stream') ? Promise.reject(new TypeError('the stream is dead')) : fetch(input, init)

const revocations = followRevocations(`${issuer}/revocations`, {
  consumer: 'agent-api',
  ...(how === 'poll' ? { fetch: withoutStream } : {}),
})
const guard = createGuard({ issuer, audience: 'agent-api', jwksUrl: `${issuer}/.well-known/jwks.json`, revocations })
/** @type {Map<string, string>} by id of the token */
const waiting = new Map()
const tell = (/** @type {Record<string, string>} */ message) => void process.send?.(message)

revocations.onChange(() => {
  for (const [id, token] of waiting) {
    void guard.admit({ token }).then((decision) => {
      if (decision.admitted || decision.code !== 'revoked' || !waiting.delete(id)) return
      tell({ refused: id, at: String(process.hrtime.bigint()) })
    })
  }
})
process.on('message', async (/** @type {{ id: string, token: string }} */ { id, token }) => {
  const decision = await guard.admit({ token })
  if (!decision.admitted) throw new Error(`a good token was refused: ${decision.code}`)
  waiting.set(id, token)
  tell({ admitted: id })
})
process.once('disconnect', () => process.exit(0))
await revocations.whenReady()
tell({ ready: how })
