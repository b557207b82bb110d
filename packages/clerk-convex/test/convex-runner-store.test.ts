import { makeFunctionReference } from 'convex/server'
import { convexTest } from 'convex-test'
import { describe, expect, it } from 'vitest'
import { remoteRunnerStore, remoteUsedProofs } from '../src/convex/runner/ports.ts'
import type { RunnerStep } from '../src/convex/runner/step.ts'
import schema from './convex-runners/schema.ts'
import { describeRunnerStore } from './runner-store-suite.ts'

declare global {
  interface ImportMeta {
    glob(pattern: string): Record<string, () => Promise<Record<string, unknown>>>
  }
}

const modules = import.meta.glob('./convex-runners/**/*.ts')
const step = makeFunctionReference<'mutation', { call: RunnerStep }, never>('runners:step')

function open() {
  const t = convexTest({ schema, modules })
  return { t, run: (call: RunnerStep) => t.mutation(step, { call }) }
}

describeRunnerStore('tables of Convex', () => remoteRunnerStore(open().run))

describe('used proofs in tables of Convex', () => {
  it('takes a proof once, also of many that come at a time', async () => {
    const { run } = open()
    const proofs = remoteUsedProofs(run)
    const seen = await Promise.all(Array.from({ length: 8 }, () => proofs.seen('proof_1', 1_800_000_065)))
    expect(seen.filter((one) => !one)).toHaveLength(1)
    expect(await proofs.seen('proof_2', 1_800_000_065)).toBe(false)
  })
})
