import { type KeySource, type PublicJwk, staticKeys, TokenRejected } from '@countersign/tokens'
import type { PublicKeySet } from '../../auth-config/key-set.ts'
import type { HeldKeys } from './held-keys.ts'

const longestSet = 65_536

export interface KeyPorts {
  ask(kid: string): Promise<HeldKeys>
  keep(jwks: string): Promise<void>
}

/** The deployment signs with ES256; a set need not say so. */
export function pinnedKeys({ keys }: PublicKeySet): KeySource {
  return staticKeys({ keys: keys.map((key) => ({ alg: 'ES256', ...key })) })
}

function readSet(text: string): KeySource | undefined {
  try {
    return pinnedKeys(JSON.parse(text))
  } catch {
    // Whatever it was: it is no key set, and the one before serves on.
    return undefined
  }
}

/** Reads the set of this deployment from its well-known place, no more often than the table allows. */
export function deploymentKeys(cloudUrl: string, ports: KeyPorts): KeySource {
  async function read(): Promise<KeySource | undefined> {
    try {
      const response = await fetch(`${cloudUrl.replace(/\/$/, '')}/.well-known/jwks.json`, { redirect: 'error' })
      const text = response.ok ? await response.text() : ''
      const source = text.length > longestSet ? undefined : readSet(text)
      if (source !== undefined) await ports.keep(text)
      return source
    } catch {
      // Out of reach: what is held serves on.
      return undefined
    }
  }

  return {
    get: () => undefined,
    async load(kid): Promise<PublicJwk | undefined> {
      const { jwks, mayRead } = await ports.ask(kid)
      const source = (mayRead ? await read() : undefined) ?? (jwks === null ? undefined : readSet(jwks))
      if (source !== undefined) return source.get(kid)
      throw new TokenRejected('keys_unavailable', 'The key set of the deployment could not be read.', {
        where: 'header.kid',
        setting: 'keys',
      })
    },
  }
}
