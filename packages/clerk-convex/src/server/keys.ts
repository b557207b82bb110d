import { type Clock, type KeySource, staticKeys } from '@countersign/tokens'
import { remoteJwks } from '@countersign/tokens/jwks'
import type { ClerkVerifierOptions } from './options.ts'

export interface ClerkKeys {
  readonly source: KeySource
  /** True while the instance's JWKS cannot be read and the keys of an earlier reading are in use. */
  isDegraded(): boolean
  close(): void
}

/** @throws TokensError `bad_key`, `bad_option` or `insecure_url` */
export function openKeys(options: ClerkVerifierOptions, clock: Clock): ClerkKeys {
  const { issuer, keys = 'discover', onEvent, fetch } = options
  if (keys !== 'discover') {
    const source = 'get' in keys ? keys : staticKeys({ keys: keys.keys.map(withAlgorithm) })
    return { source, isDegraded: () => false, close: () => {} }
  }
  let down = false
  const source = remoteJwks(`${issuer.replace(/\/$/, '')}/.well-known/jwks.json`, {
    clock,
    ...(fetch === undefined ? {} : { fetch }),
    onEvent(event) {
      if (event.type === 'jwks_refresh_failed') down = true
      if (event.type === 'jwks_refreshed') down = false
      onEvent?.(event)
    },
  })
  return { source, isDegraded: () => down, close: () => source.close() }
}

/** Clerk's keys are for RS256; a set that was copied by hand may leave that out. */
function withAlgorithm(key: object): object {
  return { alg: 'RS256', ...key }
}
