import { randomBytes } from 'node:crypto'
import { countersign } from '../countersign.ts'
import type { Fleet } from '../fleet.ts'
import { get } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

/** What an operator does with the command line, beside the running service. */
export const operator: readonly Step<Fleet>[] = [
  {
    name: 'the service is ready',
    async run({ addresses }) {
      const ready = await get(`${addresses.issuer}/readyz`)
      expectThat(ready.status === 200, `${ready.status} came back`)
      const metadata = await get(`${addresses.issuer}/.well-known/oauth-authorization-server`)
      expectThat(metadata.body.issuer === addresses.issuer, `the metadata says ${metadata.body.issuer}`)
      return `200; grants: ${metadata.body.grant_types_supported.map(shortGrant).join(', ')}`
    },
  },
  {
    name: 'the operator adds people and clients',
    async run({ configFile, accounts }) {
      accounts.user.secret = randomBytes(18).toString('base64url')
      const added = await Promise.all([
        countersign(configFile, ['users', 'add', accounts.user.identifier], {
          stdin: `${accounts.user.secret}\n`,
        }),
        countersign(configFile, ['clients', 'add', accounts.app.identifier, '--sign-in', '--audience', 'agent-api']),
        countersign(configFile, [
          'clients',
          'add',
          accounts.service.identifier,
          '--audience',
          'agent-api',
          '--audience',
          'analytics-service',
        ]),
      ])
      accounts.service.secret = String(added[2].secret)
      return `user ${accounts.user.identifier}, app ${accounts.app.identifier}, service ${accounts.service.identifier}`
    },
  },
]

const shortGrant = (grant: string): string => grant.split(':').at(-1) ?? grant
