// Whole tokens, each seen once: 20,000 of 712 characters. `node-crypto` is the bare signature check on bytes that are
// ready; everything else decodes, checks issuer, audience and times, and gives the claims. Nobody remembers tokens here,
// as none comes again; `countersign-cache` shows what remembering them all in vain costs.

import { verify as verifySignature } from 'node:crypto'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { sodiumEd25519 } from '@countersign/tokens/sodium'
import { verifySync as nodeRsVerify } from '@node-rs/jsonwebtoken'
import { JwtVerifier } from 'aws-jwt-verify'
import { createVerifier as fastJwtVerifier } from 'fast-jwt'
import { importJWK, jwtVerify } from 'jose'
import { measure } from './harness/in-process.mjs'
import { audience, issuer, makeKey, makeTokens } from './harness/issuer.mjs'
import { rateCases, ratioTargets } from './harness/targets.mjs'

const count = 20_000
/** Of 500 tokens each: the order of eight cases comes round five times. */
const turns = 40

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const key = makeKey()
  const tokens = makeTokens(key, count)
  const raw = tokens.map((token) => {
    const dot = token.lastIndexOf('.')
    return { data: Buffer.from(token.slice(0, dot)), signature: Buffer.from(token.slice(dot + 1), 'base64url') }
  })
  const numbered = tokens.map((token, index) => ({ token, index }))
  const ours = { issuer, audience, keys: staticKeys({ keys: [key.jwk] }) }
  const joseKey = await importJWK(key.jwk, 'EdDSA')
  /** @typedef {readonly { token: string, index: number }[]} Batch */

  /** @param {(token: string) => unknown} verify */
  const each = (verify) => (/** @type {Batch} */ batch) => {
    for (const { token } of batch) verify(token)
  }
  const rates = await measure(
    [
      { name: 'countersign', start: () => each(createVerifier({ ...ours, cache: false }).verifySync) },
      {
        name: 'countersign-native',
        start: () => each(createVerifier({ ...ours, cache: false, ed25519: sodiumEd25519() }).verifySync),
      },
      { name: 'countersign-cache', start: () => each(createVerifier(ours).verifySync) },
      {
        name: 'node-crypto',
        start: () => (batch) => {
          for (const { index } of batch) {
            const one = raw[index]
            if (!one || !verifySignature(null, one.data, key.publicKey, one.signature)) throw new Error('not verified')
          }
        },
      },
      {
        name: 'fast-jwt',
        start: () =>
          each(
            fastJwtVerifier({ key: key.publicPem, algorithms: ['EdDSA'], allowedIss: issuer, allowedAud: audience }),
          ),
      },
      {
        name: 'jose',
        start: () => async (batch) => {
          for (const { token } of batch) await jwtVerify(token, joseKey, { issuer, audience, algorithms: ['EdDSA'] })
        },
      },
      {
        name: 'aws-jwt-verify',
        start: () => {
          const verifier = JwtVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks.json` })
          verifier.cacheJwks({ keys: [/** @type {any} */ (key.jwk)] })
          return each((token) => verifier.verifySync(token))
        },
      },
      {
        name: 'node-rs-jsonwebtoken',
        start: () => {
          const validation = { iss: [issuer], aud: [audience], algorithms: ['EdDSA'] }
          return each((token) => nodeRsVerify(token, key.publicPem, /** @type {any} */ (validation)))
        },
      },
    ],
    (turn) => numbered.slice((turn * count) / turns, ((turn + 1) * count) / turns),
    { rounds, turns, onRound: (round) => progress(`round ${round} of ${rounds}`) },
  )
  return {
    name: 'verify-distinct',
    ratio_to: 'node-crypto',
    settings: { rounds, tokens: count, characters: tokens[0]?.length },
    cases: rateCases(rates, 'node-crypto'),
    targets: ratioTargets(rates, [
      ['countersign', 'node-crypto', 0.97],
      ['countersign', 'fast-jwt', 1],
      ['countersign', 'jose', 1.6],
      ['countersign-native', 'node-crypto', 1.5],
      ['countersign-native', 'node-rs-jsonwebtoken', 0.9],
    ]),
  }
}
