// Access tokens made from claims. `node-crypto` is the bare signature over bytes that are ready.

import { sign as signBytes } from 'node:crypto'
import { signAccessTokenSync } from '@countersign/tokens'
import { createSigner } from 'fast-jwt'
import { SignJWT } from 'jose'
import { measure } from './harness/in-process.mjs'
import { makeClaims, makeKey } from './harness/issuer.mjs'
import { rateCases, ratioTargets } from './harness/targets.mjs'

const count = 20_000
const turns = 20

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const key = makeKey()
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: key.kid }
  const headerSegment = Buffer.from(JSON.stringify(header)).toString('base64url')
  const all = Array.from({ length: count }, () => {
    const claims = makeClaims()
    return {
      claims,
      bytes: Buffer.from(`${headerSegment}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`),
    }
  })
  const fastJwt = createSigner({ key: key.privatePem, algorithm: 'EdDSA', kid: key.kid, header })
  /** @typedef {readonly (typeof all)[number][]} Batch */
  const rates = await measure(
    [
      {
        name: 'countersign',
        start: () => (/** @type {Batch} */ batch) => {
          for (const { claims } of batch) signAccessTokenSync(claims, key.signer)
        },
      },
      {
        name: 'node-crypto',
        start: () => (/** @type {Batch} */ batch) => {
          for (const { bytes } of batch) signBytes(null, bytes, key.privateKey)
        },
      },
      {
        name: 'fast-jwt',
        start: () => (/** @type {Batch} */ batch) => {
          for (const { claims } of batch) fastJwt(claims)
        },
      },
      {
        name: 'jose',
        start: () => async (/** @type {Batch} */ batch) => {
          for (const { claims } of batch) await new SignJWT(claims).setProtectedHeader(header).sign(key.privateKey)
        },
      },
    ],
    (turn) => all.slice((turn * count) / turns, ((turn + 1) * count) / turns),
    { rounds, turns, onRound: (round) => progress(`round ${round} of ${rounds}`) },
  )
  return {
    name: 'sign',
    ratio_to: 'node-crypto',
    settings: { rounds, tokens: count },
    cases: rateCases(rates, 'node-crypto'),
    targets: ratioTargets(rates, [['countersign', 'node-crypto', 0.9]]),
  }
}
