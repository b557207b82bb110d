import { beforeAll, expect, it } from 'vitest'
import { runnerFetch } from '../src/node/runner/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'

let world: ConvexRunnerWorld
beforeAll(async () => {
  world = await convexRunnerWorld()
})

it('pairs a runner in the browser and lets it work in its workspace', async () => {
  const { keys, id } = await world.paired()
  const call = runnerFetch({ url: world.url, keys, clock: world.clock })
  const who = await (await call('/whoami')).json()
  expect(who).toEqual({
    subject: world.userId,
    runner: 'builder',
    organization: world.organizationId,
    workspace: 'ws_1',
    as: {
      organization: world.organizationId,
      user: world.userId,
      runner: { id, epoch: 1, scopes: ['job:run', 'job:read'] },
    },
  })
  const jobs = await (await call('/jobs')).json()
  expect(jobs).toHaveLength(1)
})
