import { TokenSourceError } from './errors.ts'
import type { KeepOptions, ServerOptions } from './options.ts'

function bad(message: string): TokenSourceError {
  return new TokenSourceError('bad_option', message)
}

export function within(
  value: number | undefined,
  usual: number,
  [least, most]: readonly [number, number],
  name: string,
): number {
  const used = value ?? usual
  if (!(used >= least && used <= most)) throw bad(`${name} must be between ${least} and ${most}`)
  return used
}

const loopback = /^(?:localhost|(?:.+\.)?localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/u

/** @throws TokenSourceError `bad_option` for what is no https URL, loopback apart */
export function checkUrl(text: string, name: string): void {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw bad(`${name} must be a URL`)
  }
  const secure = url.protocol === 'https:' || (url.protocol === 'http:' && loopback.test(url.hostname))
  if (!secure) throw bad(`${name} must be an https URL, or http on loopback`)
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw bad(`${name} must carry neither credentials nor a fragment`)
  }
}

/** @throws TokenSourceError `bad_option` */
export function checkServerOptions(options: ServerOptions): { readonly timeoutMs: number; readonly maxBytes: number } {
  const { issuer, tokenEndpoint, client } = options
  checkUrl(issuer, 'issuer')
  if (tokenEndpoint !== undefined) checkUrl(tokenEndpoint, 'tokenEndpoint')
  if (client.id === '') throw bad('client.id must not be empty')
  if (client.secret === '') throw bad('client.secret must not be empty')
  if (client.secret !== undefined && client.privateKey !== undefined) {
    throw bad('client takes a secret or a privateKey, not both')
  }
  return {
    timeoutMs: within(options.timeoutMs, 5_000, [100, 60_000], 'timeoutMs'),
    maxBytes: within(options.maxBytes, 65_536, [1_024, 1_048_576], 'maxBytes'),
  }
}

/** @throws TokenSourceError `bad_option` */
export function checkKeepOptions(options: KeepOptions): Required<Omit<KeepOptions, 'onEvent'>> {
  return {
    patienceMs: within(options.patienceMs, 10_000, [0, 600_000], 'patienceMs'),
    defaultLifeSeconds: within(options.defaultLifeSeconds, 60, [1, 86_400], 'defaultLifeSeconds'),
  }
}
