import type { CatalogueEntry } from '../access.ts'
import type { GuardedHttp } from '../options.ts'
import { rpcCodes, rpcError } from './answers.ts'
import type { Endpoint } from './endpoint.ts'
import { endingWith, incomingOf } from './fetch-face.ts'
import { incomingOfNode, writeAnswer } from './node-face.ts'
import type { Answer } from './serving.ts'

/** The endpoint for both kinds of servers. */
export function facesOf(endpoint: Endpoint, catalogue: readonly CatalogueEntry[]): GuardedHttp {
  const elsewhere = (): Answer => ({ response: rpcError(404, rpcCodes.refused, 'Not found') })
  return {
    catalogue,
    close: () => endpoint.close(),
    async fetch(request) {
      const { response, ended, release } = (await endpoint.answer(incomingOf(request))) ?? elsewhere()
      if (ended === undefined || release === undefined) return response
      return endingWith(response, ended, release)
    },
    async node(request, response, more) {
      // Express gives its `next` here.
      const next = typeof more === 'function' ? more : undefined
      const given = next === undefined ? more : undefined
      const read = 'body' in request && request.readableEnded ? request.body : undefined
      const hangUp = new AbortController()
      const onClose = (): void => hangUp.abort()
      response.on('close', onClose)
      const answer = await endpoint.answer(incomingOfNode(request, hangUp.signal, given ?? read))
      if (answer === undefined && next !== undefined) {
        response.off('close', onClose)
        next()
        return
      }
      const { response: answered, ended, release } = answer ?? elsewhere()
      try {
        if (!response.destroyed) await writeAnswer(answered, response, ended)
      } catch {
        // The answer's stream broke off, and so must this: an end would look like a whole answer.
        response.destroy()
      } finally {
        release?.()
        response.off('close', onClose)
      }
    },
  }
}
