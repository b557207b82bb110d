/** A consumer matrix to begin with: one service, one scope to read and one that changes something. */
export const starterConsumers: Readonly<Record<string, object>> = {
  api: {
    description: 'The first service that verifies tokens: rename it, and give it the scopes that it needs.',
    scopes: {
      'items:read': { description: 'Read items.' },
      'items:write': { sideEffects: true, description: 'Create and change items.' },
    },
    accessTokenLifeSeconds: 600,
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: 'body',
  },
}

/** What `init` writes. Paths are relative to the file. */
export interface StarterConfig {
  readonly issuer: string
  readonly port?: number
  readonly dataDir: string
  readonly consumers: Readonly<Record<string, object>> | string
}

/** The configuration as text. */
export function renderConfig(config: StarterConfig): string {
  return `${JSON.stringify(config, null, 2)}\n`
}
