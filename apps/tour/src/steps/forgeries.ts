import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { countersign } from '../countersign.ts'
import type { Fleet } from '../fleet.ts'
import { basic, bearer, get, postForm } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

const segment = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function parts(token: string): {
  header: Record<string, unknown>
  payload: Record<string, unknown>
  signature: string
} {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const parse = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString())
  return { header: parse(header), payload: parse(payload), signature }
}

/** Every token here is made from a good one; none may be accepted. */
function forgeries(token: string, publicKey: string): readonly (readonly [what: string, token: string])[] {
  const { header, payload, signature } = parts(token)
  const stranger = generateKeyPairSync('ed25519').privateKey
  const signed = (head: unknown, body: unknown) => {
    const input = `${segment(head)}.${segment(body)}`
    return `${input}.${sign(null, Buffer.from(input), stranger).toString('base64url')}`
  }
  const hmacInput = `${segment({ ...header, alg: 'HS256' })}.${segment(payload)}`
  const flipped = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
  return [
    ['alg none', `${segment({ ...header, alg: 'none' })}.${segment(payload)}.`],
    [
      'HMAC with the public key',
      `${hmacInput}.${createHmac('sha256', publicKey).update(hmacInput).digest('base64url')}`,
    ],
    ["a stranger's key under our kid", signed(header, payload)],
    ["a stranger's key in the header", signed({ ...header, jwk: stranger.export({ format: 'jwk' }) }, payload)],
    ['another scope, old signature', `${segment(header)}.${segment({ ...payload, scope: 'admin:all' })}.${signature}`],
    ['one signature character changed', `${token.slice(0, token.lastIndexOf('.') + 1)}${flipped}`],
    ['padding at the end', `${token}=`],
    ['an unknown kid', signed({ ...header, kid: 'no-such-key' }, payload)],
  ]
}

export const attacks: readonly Step<Fleet>[] = [
  {
    name: 'forged tokens are refused',
    async run({ addresses, kept }) {
      const jwks = await get(`${addresses.issuer}/.well-known/jwks.json`)
      const tokens = forgeries(kept.userToken, jwks.body.keys[0].x)
      for (const [what, token] of tokens) {
        const answer = await get(`${addresses['agent-api']}/whoami`, bearer(token))
        expectThat(answer.status === 401 || answer.status === 400, `${what}: ${answer.status} came back`)
        expectThat(answer.headers.has('www-authenticate'), `${what}: the refusal carries no challenge`)
      }
      return `${tokens.length} forgeries, ${tokens.length} refused`
    },
  },
  {
    name: 'no token, no entry',
    async run({ addresses }) {
      const answer = await get(`${addresses['agent-api']}/whoami`)
      expectThat(answer.status === 401, `${answer.status} came back`)
      return `401, ${answer.headers.get('www-authenticate')?.slice(0, 60)}…`
    },
  },
  {
    name: 'a token for another audience',
    async run({ addresses, accounts }) {
      const issued = await postForm(
        `${addresses.issuer}/oauth/token`,
        { grant_type: 'client_credentials', audience: 'analytics-service' },
        basic(accounts.service.identifier, accounts.service.secret),
      )
      expectThat(issued.status === 200, `the token service answered ${issued.status}`)
      const answer = await get(`${addresses['agent-api']}/whoami`, bearer(issued.body.access_token))
      expectThat(answer.status === 401, `${answer.status} came back`)
      return '401 at the agent API'
    },
  },
  {
    name: 'explain names what is wrong',
    async run({ configFile, kept }) {
      const { header, payload, signature } = parts(kept.userToken)
      const changed = `${segment(header)}.${segment({ ...payload, scope: 'admin:all' })}.${signature}`
      const said = await countersign(configFile, ['explain'], { stdin: `${changed}\n`, exitCode: 1 })
      expectThat(said.accepted === false && said.code === 'bad_signature', `it said ${JSON.stringify(said)}`)
      return `a changed scope: ${said.code}`
    },
  },
]
