import { createPublicKey } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createGuard } from '@countersign/guard'
import { admitRequest, challenge } from '@countersign/guard/http'
import type { Clock } from '@countersign/tokens'
import { JwtVerifier } from 'aws-jwt-verify'
import express, { type NextFunction, type Request, type Response } from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import { createVerifier } from 'fast-jwt'
import buildGetJwks from 'get-jwks'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export interface VerifiersOptions {
  readonly issuer: string
  readonly audience: string
  /** The issuer's JWKS over https, for the one that reads nothing else. */
  readonly httpsOrigin: string
  /** For ours; the others take none. @default the machine's */
  readonly clock?: Clock
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** A consumer that answers 200 to a token that it takes, and 401 with its reason to any other. */
const consumer =
  (verify: (token: string) => Promise<unknown>): Handler =>
  (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /u, '') ?? ''
    verify(token).then(
      () => response.writeHead(200).end(),
      (error: unknown) => response.writeHead(401).end(String(error)),
    )
  }

/** Each as its documentation shows it, with every time-out, cache and cool-down as it comes. */
const makers: Readonly<Record<string, (options: VerifiersOptions) => Handler>> = {
  countersign({ issuer, audience, clock }) {
    const guard = createGuard({ issuer, audience, revocations: false, ...(clock === undefined ? {} : { clock }) })
    const answer: Handler = (request, response) => {
      admitRequest(guard, request).then((decision) => {
        if (decision.admitted) return response.writeHead(200).end()
        const { status, headers, body } = challenge(decision)
        return response.writeHead(status, headers).end(JSON.stringify(body))
      })
    }
    return answer
  },
  jose({ issuer, audience }) {
    const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`))
    return consumer((token) => jwtVerify(token, keys, { issuer, audience }))
  },
  'aws-jwt-verify'({ issuer, audience, httpsOrigin }) {
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: `${httpsOrigin}/.well-known/jwks.json` })
    return consumer((token) => verifier.verify(token))
  },
  'express-oauth2-jwt-bearer'({ issuer, audience }) {
    const app = express()
    app.use(auth({ issuerBaseURL: issuer, audience }))
    app.use((_request: Request, response: Response) => void response.status(200).end())
    app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
      response.status(401).end(String(error))
    })
    return app
  },
  'fast-jwt + get-jwks'({ issuer, audience }) {
    const getJwks = buildGetJwks()
    const verify = createVerifier({
      // Not `getPublicKey`: jwk-to-pem, which makes its answer, knows RSA and EC only.
      key: async ({ header }: { readonly header: Record<string, string | undefined> }) => {
        const { kid = '', alg = '' } = header
        const jwk = await getJwks.getJwk({ kid, alg, domain: issuer })
        return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      },
      allowedIss: issuer,
      allowedAud: audience,
    })
    return consumer((token) => verify(token))
  },
}

export const verifierNames: readonly string[] = Object.keys(makers)

export interface Verifiers {
  readonly url: string
  /** Begins anew with this one, its cache empty, as after a restart of its process. */
  restart(name: string): void
  close(): Promise<void>
}

/** One server; `/0`, `/1`, … are the consumers in the order of {@link verifierNames}. */
export async function startVerifiers(options: VerifiersOptions): Promise<Verifiers> {
  const handlers = Object.values(makers).map((make) => make(options))
  const server = createServer((request, response) => {
    const handler = handlers[Number(request.url?.slice(1))]
    if (handler === undefined) response.writeHead(404).end()
    else handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    restart(name) {
      const make = makers[name]
      if (make !== undefined) handlers[verifierNames.indexOf(name)] = make(options)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
