import { mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { WorkspaceLimits } from '../src/workspace/limits.ts'
import { openWorkspaces, type Workspaces } from '../src/workspace/open-workspaces.ts'
import type { Workspace } from '../src/workspace/workspace.ts'

export const ada = { issuer: 'http://127.0.0.1:4600', subject: 'user_ada' }
export const bob = { issuer: 'http://127.0.0.1:4600', subject: 'user_bob' }

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Ended after the test, the last first. */
export function later(end: () => Promise<unknown>): void {
  ends.push(end)
}

/** A folder that lives as long as a test. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-coder-'))
  later(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Bench {
  readonly workspaces: Workspaces
  /** What must not be reached; beside the workspaces. */
  readonly outside: string
  /** Ada's, on this machine. */
  readonly inside: string
  /** In Ada's workspace. */
  within<Result>(work: (workspace: Workspace) => Promise<Result>): Promise<Result>
}

export const secret = 'what nobody in a workspace may see'

export async function openBench(limits: Partial<WorkspaceLimits> = {}): Promise<Bench> {
  const folder = await scratch()
  const outside = join(folder, 'outside')
  await mkdir(join(outside, 'deeper'), { recursive: true })
  await writeFile(join(outside, 'secret'), secret)
  await writeFile(join(outside, 'deeper', 'secret'), secret)
  const workspaces = await openWorkspaces(join(folder, 'workspaces'), limits)
  later(() => workspaces.close())
  const inside = await workspaces.within(ada, ({ fd }) => readlink(`/proc/self/fd/${fd}`))
  return { workspaces, outside, inside, within: (work) => workspaces.within(ada, work) }
}

/** For what happens in a moment, on a machine that may have much else to do. */
export const soon = { interval: 20 } as const
