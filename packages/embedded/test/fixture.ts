import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@countersign/tokens'
import { afterEach, beforeEach } from 'vitest'
import {
  type AuthConfig,
  type AuthModule,
  type AuthSuccess,
  createAuthModule,
  type DefaultScope,
} from '../src/index.ts'

export const password = 'correct horse battery staple'
export const secretKey = 'of-the-old-module-0123456789abcdef-0123456789'

/** A clock that stands until it is moved. */
export interface TestClock extends Clock {
  advance(seconds: number): void
}

export function testClock(start = 1_800_000_000): TestClock {
  let now = start
  return {
    now: () => now,
    monotonicMs: () => systemClock.monotonicMs(),
    after: (ms, call) => systemClock.after(ms, call),
    advance: (seconds) => {
      now += seconds
    },
  }
}

export interface Surroundings {
  /** Fresh for each test, not there yet. */
  readonly dataDir: string
  /** Closed after the test. */
  open<const Scope extends string = DefaultScope>(config?: AuthConfig<Scope>): Promise<AuthModule<Scope>>
}

/** Call it once, outside tests. */
export function surroundings(): Surroundings {
  let room = ''
  const opened: { close(): Promise<void> }[] = []
  beforeEach(async () => {
    room = await mkdtemp(join(tmpdir(), 'countersign-embedded-'))
  })
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await one.close()
    await rm(room, { recursive: true })
  })
  return {
    get dataDir() {
      return join(room, 'data')
    },
    async open(config) {
      const auth = await createAuthModule({ dataDir: join(room, 'data'), ...config } as NonNullable<typeof config>)
      opened.push(auth)
      return auth
    },
  }
}

/** @throws when nobody was let in */
export async function signedIn<Scope extends string>(
  auth: AuthModule<Scope>,
  name = 'ada',
  secret: string = password,
): Promise<AuthSuccess> {
  const result = await auth.authenticate(name, secret)
  if (!result.success) throw new Error(result.error)
  return result
}
