import type { StoreUnderTest, TestRunner } from '@countersign/keys/testing'
import type { IssuerStores } from '../ports.ts'
import { describeClients, describeUsers } from './describe-accounts.ts'
import { describeAssertions, describeExchange, describeForeign } from './describe-exchange.ts'
import { describePruning } from './describe-pruning.ts'
import { describeReplay, describeRevocationPorts, describeRevocations } from './describe-revocations.ts'
import { describeIssued, describeRotation, describeSessions } from './describe-sessions.ts'
import { describeThrottle } from './describe-throttle.ts'
import { testWith } from './fixtures.ts'

/**
 * The suite that every implementation of {@link IssuerStores} has to pass.
 *
 * @example Stores of your own
 * import { describe, it } from 'vitest'
 * describeIssuerStores('my stores', async () => ({ store: await openMine(), close: async () => {} }), { describe, it })
 */
export function describeIssuerStores(
  name: string,
  open: () => Promise<StoreUnderTest<IssuerStores>>,
  runner: TestRunner,
): void {
  const test = testWith(open, runner)
  runner.describe(`${name}: users`, () => describeUsers(test))
  runner.describe(`${name}: clients`, () => describeClients(test))
  runner.describe(`${name}: sessions`, () => describeSessions(test))
  runner.describe(`${name}: refresh rotation`, () => describeRotation(test))
  runner.describe(`${name}: issued tokens`, () => describeIssued(test))
  runner.describe(`${name}: exchanged tokens`, () => describeExchange(test))
  runner.describe(`${name}: whom another issuer named`, () => describeForeign(test))
  runner.describe(`${name}: client assertions`, () => describeAssertions(test))
  runner.describe(`${name}: replay of a refresh`, () => describeReplay(test))
  runner.describe(`${name}: revocations`, () => describeRevocations(test))
  describeRevocationPorts(name, open, runner)
  runner.describe(`${name}: throttle`, () => describeThrottle(test))
  runner.describe(`${name}: pruning and health`, () => describePruning(test))
}
