import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('../../../packages/server/src/resolve-config.ts', import.meta.url))

/** Environment variables that a configuration takes; others would be ignored without a word. */
export const knownVariables: ReadonlySet<string> = new Set(
  [...readFileSync(source, 'utf8').matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name = '']) => name),
)
