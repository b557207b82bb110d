import type { Clock } from '@countersign/tokens'
import { createDpopProof, type DpopKey } from '@countersign/tokens/dpop'
import { signJws } from '@countersign/tokens/jws'

export interface Call {
  readonly method: string
  readonly path: string
  readonly authorization: string
  readonly proof: string | undefined
  readonly proofFor: { readonly method?: string; readonly url?: string; readonly accessToken?: string }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what tests look into
  readonly body: any
}

/** Requests made by hand, so that one thing in them can be wrong. */
export interface RunnerCalls {
  /** A proof and a form to the token endpoint. */
  ask(key: DpopKey, form: Record<string, string>, headers?: Record<string, string | undefined>): Promise<Answer>
  /** By assertion. */
  askUnattended(key: DpopKey, form?: Record<string, string>, claims?: Record<string, unknown>): Promise<Answer>
  /** Calls the API; what is not given is right. */
  call(key: DpopKey, token: string, over?: Partial<Call>): Promise<Answer>
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}

export function runnerCalls(url: string, clock: Clock): RunnerCalls {
  const { origin } = new URL(url)
  const ask: RunnerCalls['ask'] = async (key, form, headers = {}) => {
    const proof = await createDpopProof({ key, clock, method: 'POST', url: `${url}/token` })
    const sent = new Headers({ dpop: proof })
    for (const [name, value] of Object.entries(headers)) value === undefined ? sent.delete(name) : sent.set(name, value)
    return await read(await fetch(`${url}/token`, { method: 'POST', headers: sent, body: new URLSearchParams(form) }))
  }
  return {
    ask,
    askUnattended: async (key, form = {}, claims = {}) => {
      const { thumbprint, algorithm } = key
      const iat = Math.floor(clock.now())
      const usual = {
        iss: thumbprint,
        sub: thumbprint,
        aud: `${url}/token`,
        iat,
        exp: iat + 60,
        jti: crypto.randomUUID(),
      }
      const assertion = await signJws(
        'authorization-grant+jwt',
        { ...usual, ...claims },
        { kid: thumbprint, algorithm, sign: (data) => key.sign(data) },
      )
      return await ask(key, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion, ...form })
    },
    call: async (key, token, over = {}) => {
      const { method = 'GET', path = '/jobs', authorization = `DPoP ${token}`, proofFor = {} } = over
      const usual = { key, clock, method, url: `${origin}${path}`, accessToken: token }
      const proof = 'proof' in over ? over.proof : await createDpopProof({ ...usual, ...proofFor })
      const headers = { authorization, ...(proof === undefined ? {} : { dpop: proof }) }
      return await read(await fetch(`${origin}${path}`, { method, headers }))
    },
  }
}
