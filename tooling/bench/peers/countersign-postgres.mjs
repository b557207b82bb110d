// Over a server of its own, which syncs at every commit. It runs on any core, as on a machine of its own: what is measured
// is the token service.

import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { startServer } from '@countersign-tooling/postgres'
import { room, serve } from './token-endpoint.mjs'

const server = await startServer({ durable: true, directory: room })
if (availableParallelism() < cpus().length) {
  execFileSync('taskset', ['-c', '-p', `0-${cpus().length - 1}`, `${server.pid}`], { stdio: 'ignore' })
}
await serve({ database: server.url(), close: () => server.end() })
