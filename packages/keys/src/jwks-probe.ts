import { KeysError } from './keys-error.ts'
import type { KeyConfirmations } from './ports.ts'

export interface JwksProbeOptions {
  /** For each URL, from the request to the last byte. @default 3000, at most 10000 */
  readonly timeoutMs?: number
  /** @default the global one */
  readonly fetch?: typeof globalThis.fetch
}

const mostUrls = 16
const mostTimeoutMs = 10_000
const mostBytes = 131_072
const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

function readUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback.test(url.hostname))
  if (url === undefined || !isSafe || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new KeysError('policy_invalid', 'a public JWKS URL must be https (or http on loopback), without credentials')
  }
  return url
}

async function readText(response: Response): Promise<string | undefined> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > mostBytes) return undefined
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

function holds(text: string, kid: string): boolean {
  const document: unknown = JSON.parse(text)
  const keys: unknown = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : []
  const isIt = (key: unknown): boolean => typeof key === 'object' && key !== null && 'kid' in key && key.kid === kid
  return Array.isArray(keys) && keys.some(isIt)
}

/**
 * Lets a key sign only once every public JWKS URL has answered with it, as verifiers see it from outside, through caches
 * and proxies. Required: also on the last day no key signs that a public URL does not show. Redirects are not followed,
 * 128 KiB are read at most, and a URL that cannot be read counts as one that does not have the key.
 *
 * @param urls at most 16: https, or http on loopback
 * @throws KeysError `policy_invalid`
 */
export function publicJwksProbe(urls: readonly string[], options: JwksProbeOptions = {}): KeyConfirmations {
  const { timeoutMs = 3000, fetch = globalThis.fetch } = options
  if (urls.length > mostUrls) throw new KeysError('policy_invalid', `at most ${mostUrls} public JWKS URLs are probed`)
  if (!(timeoutMs > 0 && timeoutMs <= mostTimeoutMs)) {
    throw new KeysError('policy_invalid', `timeoutMs must be above 0 and at most ${mostTimeoutMs}, not ${timeoutMs}`)
  }
  const targets = urls.map(readUrl)

  /** What is wrong; undefined: the key is there. */
  async function fault(url: URL, kid: string): Promise<string | undefined> {
    try {
      const response = await fetch(url, {
        redirect: 'manual',
        headers: { accept: 'application/jwk-set+json, application/json' },
        signal: AbortSignal.timeout(timeoutMs),
      })
      if (response.status !== 200) {
        await response.body?.cancel()
        return `answers ${response.status}`
      }
      const text = await readText(response)
      if (text === undefined) return `answers with more than ${mostBytes} bytes`
      return holds(text, kid) ? undefined : 'does not have the key'
    } catch {
      return 'cannot be read'
    }
  }

  return {
    required: true,
    async missing(kid) {
      const faults = await Promise.all(targets.map((url) => fault(url, kid)))
      // Without the query, which may hold more than logs should.
      return targets.flatMap(({ origin, pathname }, index) =>
        faults[index] === undefined ? [] : [`${origin}${pathname} (${faults[index]})`],
      )
    },
  }
}
