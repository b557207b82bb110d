import { describe, expect, it } from 'vitest'
import { assertClerkEnvironment, type ClerkEnvironment, checkClerkEnvironment } from '../src/server/index.ts'
import { clerkWorld } from './clerk-world.ts'

const key = (kind: 'test' | 'live', host: string) => `pk_${kind}_${Buffer.from(`${host}$`).toString('base64')}`

const prod: ClerkEnvironment = {
  stage: 'prod',
  publishableKey: key('live', 'clerk.example.com'),
  secretKey: 'sk_live_abcdefghijklmnop',
  issuer: 'https://clerk.example.com',
  webhookSecret: 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0',
  authorizedParties: ['https://app.example.com'],
}
const dev: ClerkEnvironment = {
  ...prod,
  stage: 'dev',
  publishableKey: key('test', 'kind-owl-1.clerk.accounts.dev'),
  secretKey: 'sk_test_abcdefghijklmnop',
  issuer: 'https://kind-owl-1.clerk.accounts.dev',
  authorizedParties: ['http://localhost:3000'],
}

const found = (environment: ClerkEnvironment) =>
  checkClerkEnvironment(environment).map(({ setting, problem }) => `${setting} ${problem}`)

it('finds nothing in sound settings of each stage, nor in those of the stand-in', async () => {
  expect(
    [prod, dev, { ...prod, stage: 'staging' as const }, { ...dev, stage: 'staging' as const }].flatMap(found),
  ).toEqual([])
  const { clerk } = await clerkWorld()
  const { publishableKey, secretKey, issuer, webhookSecret } = clerk
  expect(found({ ...dev, publishableKey, secretKey, issuer, webhookSecret })).toEqual([])
})

it('finds everything that is missing at once', () => {
  expect(found({ stage: 'prod' })).toEqual([
    'publishableKey missing',
    'secretKey missing',
    'issuer missing',
    'webhookSecret missing',
    'authorizedParties missing',
  ])
  expect(found({ ...prod, secretKey: '', authorizedParties: [] })).toEqual([
    'secretKey missing',
    'authorizedParties missing',
  ])
})

const rows: [why: string, environment: ClerkEnvironment, problems: string[]][] = [
  [
    'keys of a development instance in prod',
    { ...dev, stage: 'prod', authorizedParties: ['https://app.example.com'] },
    ['publishableKey wrong_stage', 'secretKey wrong_stage'],
  ],
  [
    'keys of a production instance in dev',
    { ...prod, stage: 'dev' },
    ['publishableKey wrong_stage', 'secretKey wrong_stage'],
  ],
  ['keys of two kinds', { ...prod, stage: 'staging', secretKey: dev.secretKey ?? '' }, ['secretKey mixed']],
  ['an issuer of another instance', { ...prod, issuer: 'https://clerk.example.org' }, ['issuer wrong_instance']],
  ['an issuer with a slash', { ...prod, issuer: 'https://clerk.example.com/' }, ['issuer malformed']],
  ['an issuer without a scheme', { ...prod, issuer: 'clerk.example.com' }, ['issuer malformed']],
  ['http', { ...prod, issuer: 'http://clerk.example.com' }, ['issuer insecure']],
  [
    'the two keys in each other’s place',
    { ...prod, publishableKey: prod.secretKey ?? '', secretKey: prod.publishableKey ?? '' },
    ['publishableKey malformed', 'secretKey malformed'],
  ],
  [
    'a publishable key cut short',
    { ...prod, publishableKey: (prod.publishableKey ?? '').slice(0, -4) },
    ['publishableKey malformed'],
  ],
  ['a webhook secret without its prefix', { ...prod, webhookSecret: 'c2VjcmV0' }, ['webhookSecret malformed']],
  ['localhost in prod', { ...prod, authorizedParties: ['http://localhost:3000'] }, ['authorizedParties insecure']],
  ['loopback by https in prod', { ...prod, authorizedParties: ['https://127.0.0.1'] }, ['authorizedParties insecure']],
  [
    'a name of loopback in prod',
    { ...prod, authorizedParties: ['https://app.localhost', 'https://0.0.0.0'] },
    ['authorizedParties insecure', 'authorizedParties insecure'],
  ],
  [
    'a stage that is none, by the rules of prod',
    { ...dev, stage: 'production' as never },
    ['stage malformed', 'publishableKey wrong_stage', 'secretKey wrong_stage', 'authorizedParties insecure'],
  ],
  [
    'a site with a path',
    { ...prod, authorizedParties: ['https://app.example.com/app'] },
    ['authorizedParties malformed'],
  ],
]
describe('finds', () => {
  it.each(rows)('%s', (_why, environment, problems) => {
    expect(found(environment)).toEqual(problems)
  })
})

it('throws all of it, and no value', () => {
  const secretKey = 'sk-very-secret'
  const make = () => assertClerkEnvironment({ ...prod, secretKey, webhookSecret: 'whsec_short' })
  expect(make).toThrow(
    expect.objectContaining({ code: 'bad_option', message: expect.stringMatching(/secretKey.*\n.*webhookSecret/) }),
  )
  expect(make).toThrow(expect.objectContaining({ message: expect.not.stringMatching(/very-secret|whsec_short/) }))
  expect(() => assertClerkEnvironment(prod)).not.toThrow()
})
