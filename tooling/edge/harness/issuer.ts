import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { Case, Question } from '../consumer/judge.ts'

type Algorithm = 'EdDSA' | 'ES256' | 'RS256'

interface SigningKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly jwk: object
}

/** What is asked in every runtime, and the one right answer. */
export interface Exam {
  readonly question: Question
  readonly answers: Readonly<Record<string, string>>
}

export interface Issuer {
  readonly origin: string
  readonly exam: Exam
  /** Good for ten minutes, with the scope that the consumers ask for unless another is said. */
  token(claims?: Readonly<Record<string, unknown>>): string
  /** Methods and paths asked for, in order. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** An issuer on loopback: metadata and keys that a browser may read from elsewhere, signed by Node's own crypto alone. */
export async function startIssuer(): Promise<Issuer> {
  const keys = { EdDSA: makeKey('EdDSA'), ES256: makeKey('ES256'), RS256: makeKey('RS256') }
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const documents: Record<string, object> = {
      '/.well-known/oauth-authorization-server': { issuer: origin, jwks_uri: `${origin}/keys` },
      '/keys': { keys: Object.values(keys).map(({ jwk }) => jwk) },
    }
    const found = documents[request.url ?? '']
    const status = found !== undefined ? 200 : request.url === '/moved' ? 302 : 404
    response.writeHead(status, {
      'access-control-allow-origin': '*',
      'content-type': 'application/json',
      ...(status === 200 && { etag: '"1"', 'cache-control': 'max-age=300' }),
      ...(status === 302 && { location: '/keys' }),
    })
    response.end(JSON.stringify(found ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://127.0.0.1:${address.port}`
  const token = (claims: Readonly<Record<string, unknown>> = {}) => signed(keys.EdDSA, goodClaims(origin, claims))
  return {
    origin,
    exam: makeExam(origin, keys),
    token,
    asked,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function makeKey(algorithm: Algorithm): SigningKey {
  const { publicKey, privateKey } =
    algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' })
  // RFC 7638 section 3.2: the members that count, in order of their names.
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => jwk[name] !== undefined)
  const text = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])))
  const kid = createHash('sha256').update(text).digest('base64url')
  return { kid, algorithm, privateKey, jwk: { ...jwk, kid, alg: algorithm, use: 'sig' } }
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const nowSeconds = () => Math.floor(Date.now() / 1000)

function goodClaims(issuer: string, change: Readonly<Record<string, unknown>> = {}): object {
  const iat = nowSeconds()
  const token = { jti: randomBytes(16).toString('base64url'), client_id: 'web', scope: 'agents:read' }
  return { iss: issuer, sub: 'user_1', aud: 'agent-api', iat, exp: iat + 600, ...token, ...change }
}

function signed({ algorithm, kid, privateKey }: SigningKey, claims: object, header: object = {}): string {
  const input = `${encode({ alg: algorithm, typ: 'at+jwt', kid, ...header })}.${encode(claims)}`
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
  return `${input}.${sign(algorithm === 'EdDSA' ? null : 'sha256', Buffer.from(input), key).toString('base64url')}`
}

function hmacSigned(secret: Buffer, header: object, claims: object): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** The same header and signature over other claims. */
function withClaims(token: string, claims: object): string {
  const [header, , signature] = token.split('.')
  return `${header}.${encode(claims)}.${signature}`
}

/** One character in the midst of the signature is another. */
function withOtherSignature(token: string): string {
  const at = token.length - 40
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

function makeExam(origin: string, { EdDSA, ES256, RS256 }: Readonly<Record<Algorithm, SigningKey>>): Exam {
  const claims = (change = {}) => goodClaims(origin, change)
  const good = signed(EdDSA, claims())
  const past = nowSeconds() - 7200
  const secret = randomBytes(32)
  const legacy = hmacSigned(secret, { alg: 'HS256', typ: 'JWT' }, claims())
  const stranger = makeKey('EdDSA')
  const publicBytes = Buffer.from(String((EdDSA.jwk as { x?: string }).x), 'base64url')

  const rows: readonly (readonly [by: Case['by'], name: string, token: string, answer: string])[] = [
    ['verifier', 'a good token', good, 'user_1'],
    ['verifier', 'the good token again', good, 'user_1'],
    ['verifier', 'other claims under its signature', withClaims(good, claims({ sub: 'admin' })), 'bad_signature'],
    ['verifier', 'another signature', withOtherSignature(good), 'bad_signature'],
    ['verifier', "a stranger's signature", signed(stranger, claims(), { kid: EdDSA.kid }), 'bad_signature'],
    ['verifier', "a stranger's key", signed(stranger, claims()), 'unknown_key'],
    ['verifier', 'an expired token', signed(EdDSA, claims({ iat: past, exp: past + 3600 })), 'expired'],
    ['verifier', 'a token of tomorrow', signed(EdDSA, claims({ iat: past + 9000, exp: past + 9600 })), 'not_yet_valid'],
    ['verifier', 'another audience', signed(EdDSA, claims({ aud: 'billing' })), 'wrong_audience'],
    ['verifier', 'another issuer', signed(EdDSA, claims({ iss: 'https://evil.example' })), 'wrong_issuer'],
    ['verifier', 'an ID token', signed(EdDSA, claims(), { typ: 'JWT' }), 'wrong_type'],
    [
      'verifier',
      'no algorithm',
      `${encode({ alg: 'none', typ: 'at+jwt', kid: EdDSA.kid })}.${encode(claims())}.`,
      'malformed',
    ],
    [
      'verifier',
      'the public key as a secret',
      hmacSigned(publicBytes, { alg: 'HS256', typ: 'at+jwt', kid: EdDSA.kid }, claims()),
      'unsupported_alg',
    ],
    ['verifier', 'no token', 'x', 'malformed'],
    ['verifier', 'an algorithm that was not asked for', signed(ES256, claims()), 'unsupported_alg'],
    ['ES256', 'a good ES256 token', signed(ES256, claims()), 'user_1'],
    ['ES256', 'a forged ES256 token', withOtherSignature(signed(ES256, claims())), 'bad_signature'],
    ['RS256', 'a good RS256 token', signed(RS256, claims()), 'user_1'],
    ['RS256', 'a forged RS256 token', withOtherSignature(signed(RS256, claims())), 'bad_signature'],
    ['HS256', 'a good legacy token', legacy, 'user_1'],
    ['HS256', 'a forged legacy token', withOtherSignature(legacy), 'bad_signature'],
    ['guard', 'a good token for the guard', good, 'user_1'],
    ['guard', 'a forged token for the guard', withOtherSignature(good), 'bad_signature'],
    ['guard', 'a token without the scope', signed(EdDSA, claims({ scope: '' })), 'insufficient_scope'],
  ]
  return {
    question: {
      issuer: origin,
      jwksUrl: `${origin}/keys`,
      redirectUrl: `${origin}/moved`,
      secret: secret.toString('base64url'),
      cases: rows.map(([by, name, token]) => ({ by, name, token })),
    },
    answers: {
      ...Object.fromEntries(rows.map(([, name, , answer]) => [name, answer])),
      'keys behind a redirect': 'keys_unavailable',
      'the thumbprint of the first key': 'true',
    },
  }
}
