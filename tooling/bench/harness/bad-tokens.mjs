// Tokens that must be refused, each of them another one.

import { signAccessTokenSync } from '@countersign/tokens'
import { makeClaims, makeTokens } from './issuer.mjs'

/** @param {unknown} value */
const segment = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Bytes that no key signed: the number, then the same every time. @param {number} index */
function noSignature(index) {
  const bytes = Buffer.alloc(64, 1)
  bytes.writeUInt32BE(index)
  return bytes.toString('base64url')
}

/** @param {import('./issuer.mjs').Key} key @returns {(index: number) => string} */
export function badTokens(key) {
  const [good = ''] = makeTokens(key, 1)
  const [header, payload, signature] = good.split('.')
  const kinds = [
    (/** @type {number} */ index) => `${header}.${payload}.${noSignature(index)}`,
    (/** @type {number} */ index) => {
      const other = segment({ alg: 'EdDSA', typ: 'at+jwt', kid: `key-${index}` })
      return `${other}.${payload}.${signature}`
    },
    (/** @type {number} */ index) => `${header}.${segment(makeClaims({ jti: `admin-${index}` }))}.${signature}`,
    (/** @type {number} */ index) => {
      const claims = makeClaims({ jti: `expired-${index}`, iat: 1_700_000_000, exp: 1_700_000_600 })
      return signAccessTokenSync(claims, key.signer)
    },
    (/** @type {number} */ index) => signAccessTokenSync(makeClaims({ aud: `other-${index}` }), key.signer),
    (/** @type {number} */ index) => `${segment(`no header ${index}`)}.${payload}.${signature}`,
  ]
  return (index) => /** @type {(index: number) => string} */ (kinds[index % kinds.length])(index)
}

/** Three digits each as the base64url of them: Lua puts numbers into segments by these. */
const digitGroups = Array.from({ length: 1000 }, (_, number) => segment(String(number).padStart(3, '0')))

/**
 * The same for wrk, whose Lua can sign nothing: forged signatures, key ids that nobody has, altered claims, no tokens at
 * all; in turns, each with its number in it.
 * @param {import('./issuer.mjs').Key} key
 * @returns {string} Lua: `bad(index)`
 */
export function badTokensInLua(key) {
  const [good = ''] = makeTokens(key, 1)
  const [header, payload, signature = ''] = good.split('.')
  // Nine digits that begin at a multiple of three bytes are twelve characters of their own.
  const open = '{"alg":"EdDSA","typ":"at+jwt","kid":"kid'
  const head = segment(open.padEnd(Math.ceil(open.length / 3) * 3, '-'))
  const claims = Buffer.from(payload ?? '', 'base64url').toString('utf8')
  const altered = `{"admin":"`.padEnd(12, '-')
  return `local groups = {${digitGroups.map((group) => JSON.stringify(group)).join(',')}}
local function number(index)
  return groups[math.floor(index / 1000000) % 1000 + 1] .. groups[math.floor(index / 1000) % 1000 + 1] .. groups[index % 1000 + 1]
end
local kinds = {
  function(index) return "${header}.${payload}.${signature.slice(0, 30)}" .. number(index) .. "${signature.slice(42)}" end,
  function(index) return "${head}" .. number(index) .. "${segment('"}')}.${payload}.${signature}" end,
  function(index) return "${header}.${segment(altered)}" .. number(index) .. "${segment(`",${claims.slice(1)}`)}.${signature}" end,
  function(index) return "not-a-token-" .. index end,
}
function bad(index) return kinds[index % 4 + 1](index) end`
}
