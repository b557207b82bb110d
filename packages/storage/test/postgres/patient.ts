import type { PostgresOptions } from '../../src/postgres.ts'

/** What a call may take on a machine with much other work, where a test is about something else. */
export const patient = {
  busyTimeoutMs: 60_000,
  connectTimeoutMs: 60_000,
  statementTimeoutMs: 60_000,
  lockTimeoutMs: 60_000,
  idleInTransactionTimeoutMs: 60_000,
} as const satisfies PostgresOptions
