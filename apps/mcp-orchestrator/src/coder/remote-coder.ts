import { isTokenSourceError } from '@countersign/token-source'
import {
  Client,
  InsufficientScopeError,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import type { CoderScope } from '../scopes.ts'
import { type Coder, type CoderCall, type CoderSession, type Outcome, outcomeOf } from './coder.ts'

export interface RemoteCoderOptions {
  /** The coder's endpoint. */
  readonly url: string
  /** Milliseconds without a word from the coder. @default 90_000 */
  readonly patienceMs?: number
}

/**
 * The coder as an MCP server elsewhere, asked with a token of its own for each step: the caller's, exchanged for one with
 * the scope of that step.
 */
export function createRemoteCoder({ url, patienceMs = 90_000 }: RemoteCoderOptions): Coder {
  return { begin: (call) => begin(new URL(url), patienceMs, call), close: async () => undefined }
}

function begin(url: URL, patienceMs: number, call: CoderCall): CoderSession {
  const { signal, tokenFor, onProgress } = call
  let client: Client | undefined
  let scope: CoderScope = 'coder:read'
  let lastToken: string | undefined
  const authProvider = {
    token: async () => {
      lastToken = await tokenFor(scope, { signal })
      return lastToken
    },
    onUnauthorized: async () => {
      await tokenFor(scope, { signal, reason: 'rejected', ...(lastToken === undefined ? {} : { token: lastToken }) })
    },
  }
  const connected = async (): Promise<Client> => {
    if (client !== undefined) return client
    const made = new Client(
      { name: 'mcp-orchestrator', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    const transport = new StreamableHTTPClientTransport(url, { authProvider, requestInit: { redirect: 'error' } })
    await made.connect(transport, { signal })
    client = made
    return made
  }
  return {
    async run({ tool, args }, held) {
      scope = held
      try {
        const coder = await connected()
        const result = await coder.callTool(
          { name: tool, arguments: { ...args } },
          {
            signal,
            timeout: patienceMs,
            resetTimeoutOnProgress: true,
            onprogress: ({ message }) => onProgress(message ?? 'working'),
          },
        )
        return outcome(tool, result)
      } catch (error) {
        signal.throwIfAborted()
        return { ok: false, error: refusalOf(error) }
      }
    },
    async close() {
      await client?.close()
    },
  }
}

function outcome(tool: string, result: Awaited<ReturnType<Client['callTool']>>): Outcome {
  const [first] = result.content
  const text = first?.type === 'text' ? first.text : ''
  if (result.isError === true) return { ok: false, error: text.slice(0, 2_000) }
  const { structuredContent: answer } = result
  if (typeof answer !== 'object' || answer === null) return { ok: false, error: 'answer: The coder said nothing.' }
  return outcomeOf(tool, { ...answer })
}

/** In our words: what a peer's error says of tokens and addresses is for the log only. */
function refusalOf(error: unknown): string {
  if (isTokenSourceError(error)) {
    const isOver = error.code === 'grant_refused' || error.code === 'request_refused'
    return isOver
      ? 'token: This token cannot be exchanged for one for the coder: sign in again.'
      : 'unavailable: No token for the coder can be had at the moment.'
  }
  if (error instanceof UnauthorizedError || error instanceof InsufficientScopeError || statusOf(error) === 401) {
    return 'refused: The coder refused the token.'
  }
  return 'unavailable: The coder cannot be reached, or does not know this tool.'
}

function statusOf(error: unknown): unknown {
  return error instanceof Error && 'status' in error ? error.status : undefined
}
