import type { FunctionReturnType } from 'convex/server'
import type { api } from '../convex/_generated/api.js'
import type { Calls } from './calls.ts'
import type { Live } from './live.ts'

export type Me = FunctionReturnType<typeof api.people.me>
export type Run = FunctionReturnType<typeof api.runs.list>[number]
export type Approval = FunctionReturnType<typeof api.approvals.list>[number]
export type Repository = FunctionReturnType<typeof api.repositories.list>[number]
export type Runner = FunctionReturnType<typeof api.runners.list>[number]

/** What every part of the page works with. */
export interface Board {
  readonly live: Live
  readonly calls: Calls
  /** Of the organisation that is chosen; undefined until it is known. */
  me: Me | undefined
  workspaceId: string
  readonly may: (permission: string) => boolean
}

/** One part of the page. */
export interface View {
  /** Shows another workspace. */
  open(): void
  /** Forgets what it shows: it is somebody else's. */
  clear(): void
}
