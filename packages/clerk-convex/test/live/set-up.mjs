// Makes keys for the live suite of Convex, writes them to a file that only its owner can read, and prints what to run.
// usage: node test/live/set-up.mjs FILE

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const [file] = process.argv.slice(2)
if (file === undefined) {
  console.error('usage: node test/live/set-up.mjs FILE')
  process.exit(2)
}

/** @param {'RS256' | 'ES256'} alg */
function makeKey(alg) {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const named = { kid: `live-${alg}`, alg, use: 'sig' }
  const document = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), ...named }] })
  const jwks = `data:application/json;base64,${Buffer.from(document).toString('base64')}`
  return { privateJwk: { ...privateKey.export({ format: 'jwk' }), ...named }, jwks }
}

const rs256 = makeKey('RS256')
const es256 = makeKey('ES256')
const issuer = 'https://clerk.live-suite.test'
const es256Issuer = 'https://es256.live-suite.test'
const webhookSecret = `whsec_${randomBytes(32).toString('base64')}`
const environment = {
  TEST_CLERK_ISSUER: issuer,
  TEST_JWKS: rs256.jwks,
  TEST_ES256_ISSUER: es256Issuer,
  TEST_ES256_JWKS: es256.jwks,
  TEST_CLERK_WEBHOOK_SECRET: webhookSecret,
}
const keys = { issuer, es256Issuer, webhookSecret, RS256: rs256.privateJwk, ES256: es256.privateJwk, environment }
// Never over another: its deployment would take no token any more.
writeFileSync(file, JSON.stringify(keys, null, 2), { mode: 0o600, flag: 'wx' })
const shell = (text) => `'${text}'`
for (const [name, value] of Object.entries(environment)) console.log(`npx convex env set ${name} ${shell(value)}`)
console.log('npx convex dev --once --typecheck disable')
console.log(`CONVEX_LIVE_KEYS=${shell(file)} CONVEX_LIVE_URL=https://….convex.cloud pnpm run live`)
