import { randomBytes } from 'node:crypto'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import { IssuerError } from './errors.ts'
import { halfCharacter } from './identifier.ts'
import type { ResolvedLimits } from './options.ts'
import { createTurns } from './turns.ts'

/** Characters (code points after NFKC). ASVS 6.2: at least 8, and 64 must be allowed; nothing is cut off. */
export const passwordBounds = { min: 8, max: 1024 } as const

export interface Passwords {
  /** @throws IssuerError `weak_password`; HashesBusy when too many wait */
  hash(password: string): Promise<string>
  /**
   * Does the same work whether there is a hash or not.
   * @throws HashesBusy when too many wait
   */
  verify(stored: string | undefined, password: string): Promise<boolean>
  /** True when the hash was made with weaker parameters than today's. */
  outdated(stored: string): boolean
}

/** Too many hashes wait; never leaves the package. */
export class HashesBusy extends Error {
  override readonly name = 'HashesBusy'
}

/**
 * argon2id in the thread pool, off the event loop. At most `parallelHashes` run and `queuedHashes` wait, so that a flood
 * of sign-ins holds neither the memory nor the pool that files and DNS need too.
 */
export function createPasswords(limits: ResolvedLimits): Passwords {
  const parameters = { memoryCost: limits.passwordMemoryKiB, timeCost: limits.passwordPasses, parallelism: 1 }
  const turns = createTurns()
  // A well-formed hash that no password has: verifying against it costs what a real one costs.
  const unpadded = (bytes: number): string => randomBytes(bytes).toString('base64').replace(/=+$/, '')
  const nobody = `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=1$${unpadded(16)}$${unpadded(32)}`

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = await turns.take('hash', limits.parallelHashes, limits.queuedHashes)
    if (done === undefined) throw new HashesBusy('too many password hashes are waiting')
    try {
      return await work()
    } finally {
      done()
    }
  }

  return {
    async hash(password) {
      const normal = password.normalize('NFKC')
      const length = characters(normal)
      if (length < passwordBounds.min || length > passwordBounds.max || halfCharacter.test(normal)) {
        throw new IssuerError(
          'weak_password',
          `A password has ${passwordBounds.min} to ${passwordBounds.max} characters; this one has ${length}.`,
        )
      }
      return inTurn(() => hash(normal, parameters))
    },
    async verify(stored, password) {
      const normal = password.normalize('NFKC')
      const usable = !halfCharacter.test(normal) && characters(normal) <= passwordBounds.max
      const matches = await inTurn(() => verify(stored ?? nobody, usable ? normal : ''))
      return matches && stored !== undefined && usable
    },
    outdated(stored) {
      const used = parseOptions(stored)
      return used.memoryCost < parameters.memoryCost || used.timeCost < parameters.timeCost
    },
  }
}

function characters(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}
