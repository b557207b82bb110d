// 1,000 tokens that come again and again, as HTTP brings them: a new string each time, whose hash nobody knows yet.

import { createVerifier, staticKeys } from '@countersign/tokens'
import { createVerifier as fastJwtVerifier } from 'fast-jwt'
import { measure } from './harness/in-process.mjs'
import { audience, issuer, makeKey, makeTokens } from './harness/issuer.mjs'
import { rateCases, ratioTargets } from './harness/targets.mjs'

const count = 1_000
const repeats = 20
const turns = 20

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const key = makeKey()
  const bytes = makeTokens(key, count).map((token) => Buffer.from(token, 'latin1'))
  const freshStrings = () => Array.from({ length: repeats }, () => bytes.map((each) => each.toString('latin1'))).flat()
  const keys = staticKeys({ keys: [key.jwk] })

  /** A cache that is warm: what is measured are hits. @param {(token: string) => unknown} verify */
  const warm = (verify) => {
    for (const each of bytes) verify(each.toString('latin1'))
    return (/** @type {readonly string[]} */ batch) => {
      for (const token of batch) verify(token)
    }
  }
  const rates = await measure(
    [
      { name: 'countersign', start: () => warm(createVerifier({ issuer, audience, keys }).verifySync) },
      {
        name: 'fast-jwt-cache',
        start: () =>
          warm(
            fastJwtVerifier({
              key: key.publicPem,
              algorithms: ['EdDSA'],
              allowedIss: issuer,
              allowedAud: audience,
              cache: 10_000,
            }),
          ),
      },
    ],
    freshStrings,
    { rounds, turns, onRound: (round) => progress(`round ${round} of ${rounds}`) },
  )
  return {
    name: 'verify-repeated',
    ratio_to: 'fast-jwt-cache',
    settings: { rounds, tokens: count, verifications: count * repeats * turns },
    cases: rateCases(rates, 'fast-jwt-cache'),
    targets: ratioTargets(rates, [['countersign', 'fast-jwt-cache', 6]]),
  }
}
