import type { StdioToken } from '@countersign/mcp/v2'
import { consumerEnvironment, environmentParts, readEnvironment, toStartOptions } from '@countersign-apps/kit'
import { stdioEnvironment, toStdioToken } from '@countersign-apps/kit/mcp'
import { toolsEnvironment, toToolsOptions } from '@countersign-apps/mcp-coder'
import { z } from 'zod'
import type { OrchestratorOptions } from './start-orchestrator.ts'
import type { StandaloneOptions } from './start-standalone.ts'

const { text, url } = environmentParts

const origin = z
  .string()
  .refine(
    (value) => URL.canParse(value) && new URL(value).origin === value,
    'expected https://HOST[:PORT], without a path',
  )

type Variables = Readonly<Record<string, string | undefined>>

/** In a fleet: its tokens are the token service's, and the coder is another server. */
export interface FleetConfig extends OrchestratorOptions {
  readonly mode: 'fleet'
  /** With one, it serves one client on stdin and stdout. */
  readonly token: StdioToken | undefined
}

/** Alone: everything in this process. */
export interface StandaloneConfig extends StandaloneOptions {
  readonly mode: 'standalone'
}

/** @throws ConfigError that names each variable and what was expected */
export function readConfig(
  variables: Variables,
  { stdio = false }: { readonly stdio?: boolean } = {},
): FleetConfig | StandaloneConfig {
  const { ORCHESTRATOR_MODE: mode } = readEnvironment(
    { ORCHESTRATOR_MODE: z.enum(['fleet', 'standalone']).default('fleet') },
    variables,
  )
  if (mode === 'standalone') return { mode, ...readStandalone(variables) }
  const shape = {
    ...consumerEnvironment,
    ...stdioEnvironment,
    CODER_URL: url.default('http://127.0.0.1:4616/mcp'),
    CLIENT_ID: text,
    CLIENT_SECRET: text,
  }
  const read = readEnvironment(shape, variables)
  return {
    mode,
    ...toStartOptions(read),
    coder: read.CODER_URL,
    client: { id: read.CLIENT_ID, secret: read.CLIENT_SECRET },
    token: toStdioToken(read, stdio),
  }
}

/** @throws ConfigError */
export function readStandalone(variables: Variables): StandaloneOptions {
  const { HOST, PORT, COUNTERSIGN_LOG_LEVEL } = consumerEnvironment
  const shape = {
    ...toolsEnvironment,
    ...{ HOST, PORT, COUNTERSIGN_LOG_LEVEL },
    DATA_DIR: text.default('.mcp-orchestrator'),
    PUBLIC_URL: origin.optional(),
  }
  const read = readEnvironment(shape, variables)
  return {
    ...toToolsOptions(read),
    dataDir: read.DATA_DIR,
    host: read.HOST,
    logLevel: read.COUNTERSIGN_LOG_LEVEL,
    ...(read.PORT === undefined ? {} : { port: read.PORT }),
    ...(read.PUBLIC_URL === undefined ? {} : { publicUrl: read.PUBLIC_URL }),
  }
}
