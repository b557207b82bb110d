import { Agent, request } from 'node:http'
import { audience, lifeSeconds } from './token-service.ts'
import { verifierNames } from './verifiers.ts'

export interface Issued {
  readonly token: string
  readonly kid: string
  readonly expiresAt: number
}

/** What has come of the requests so far. */
export interface Tally {
  issued: number
  verified: number
  /** Valid tokens that were refused: by whom, when, why. The first hundred. */
  readonly refused: { verifier: string; at: number; kid: string; why: string }[]
  refusals: number
  /** Tokens of keys that nobody published that were taken. */
  strayTaken: number
  strayRefused: number
  /** Tokens whose key was not in the JWKS, or not for as long as W. */
  signedUnpublished: number
  readonly kids: Set<string>
}

export interface TrafficOptions {
  readonly issuer: string
  readonly verifiersUrl: string
  readonly credentials: { readonly id: string; readonly secret: string }
  /** Unix seconds by the time that issuer and verifiers live in. */
  readonly now: () => number
  readonly propagationSeconds: number
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** Requests over real HTTP: tokens from the issuer, tokens to the consumers, and what the JWKS shows meanwhile. */
export class Traffic {
  readonly tally: Tally = {
    issued: 0,
    verified: 0,
    refused: [],
    refusals: 0,
    strayTaken: 0,
    strayRefused: 0,
    signedUnpublished: 0,
    kids: new Set(),
  }
  readonly #options: TrafficOptions
  #agent = new Agent({ keepAlive: true })
  readonly #publishedAt = new Map<string, number>()
  #live: Issued[] = []

  constructor(options: TrafficOptions) {
    this.#options = options
  }

  get #now(): number {
    return this.#options.now()
  }

  async #ask(url: string, method: string, headers: Record<string, string>, body = ''): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const asked = request(url, { method, headers, agent: this.#agent }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        response.on('error', reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }

  /** Looks at the JWKS as anybody may; the key ids that it shows. */
  async look(): Promise<readonly string[]> {
    const { status, body } = await this.#ask(`${this.#options.issuer}/.well-known/jwks.json`, 'GET', {})
    if (status !== 200) throw new Error(`the JWKS answers ${status}`)
    const kids: string[] = JSON.parse(body).keys.map(({ kid }: { kid: string }) => kid)
    const isFirst = this.#publishedAt.size === 0
    for (const kid of kids) {
      // Nobody had a cache when the very first key was made.
      if (!this.#publishedAt.has(kid)) this.#publishedAt.set(kid, isFirst ? Number.NEGATIVE_INFINITY : this.#now)
    }
    return kids
  }

  async issue(): Promise<Issued> {
    const { issuer, credentials, propagationSeconds } = this.#options
    const basic = Buffer.from(`${credentials.id}:${credentials.secret}`).toString('base64')
    const form = new URLSearchParams({ grant_type: 'client_credentials', audience }).toString()
    const headers = { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' }
    const { status, body } = await this.#ask(`${issuer}/oauth/token`, 'POST', headers, form)
    if (status !== 200) throw new Error(`the token endpoint answers ${status}: ${body}`)
    const token: string = JSON.parse(body).access_token
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8'))
    const issued = { token, kid, expiresAt: this.#now + lifeSeconds }
    this.tally.issued += 1
    this.tally.kids.add(kid)
    const since = this.#now - (this.#publishedAt.get(kid) ?? Number.POSITIVE_INFINITY)
    if (!(since >= propagationSeconds)) this.tally.signedUnpublished += 1
    this.#live = [...this.#live.filter(({ expiresAt }) => expiresAt > this.#now), issued].slice(-200)
    return issued
  }

  /** A token of the longest past that is still valid for a good second, in the midst of its life, or the newest. */
  held(share: number): Issued | undefined {
    const valid = this.#live.filter(({ expiresAt }) => expiresAt - this.#now > 5)
    return valid[Math.floor(share * valid.length)]
  }

  async verify(index: number, { token, kid }: Issued): Promise<void> {
    const { status, body } = await this.#send(index, token)
    this.tally.verified += 1
    if (status === 200) return
    this.tally.refusals += 1
    const refused = { verifier: verifierNames[index] ?? '', at: this.#now, kid, why: `${status} ${body}`.slice(0, 300) }
    if (this.tally.refused.length < 100) this.tally.refused.push(refused)
  }

  /** A token of a key that nobody knows, as anyone may send it. */
  async stray(index: number, { token }: Issued): Promise<void> {
    const [header = '', claims, signature] = token.split('.')
    const head = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'))
    const kid = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    const forged = Buffer.from(JSON.stringify({ ...head, kid })).toString('base64url')
    const { status } = await this.#send(index, `${forged}.${claims}.${signature}`)
    if (status === 200) this.tally.strayTaken += 1
    else this.tally.strayRefused += 1
  }

  #send(index: number, token: string): Promise<Answer> {
    return this.#ask(`${this.#options.verifiersUrl}/${index}`, 'GET', { authorization: `Bearer ${token}` })
  }

  /** After a leap in time the other side has closed what was open, as it had been idle for too long. */
  reconnect(): void {
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true })
  }

  close(): void {
    this.#agent.destroy()
  }
}
