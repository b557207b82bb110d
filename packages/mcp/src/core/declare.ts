import { McpGuardError } from '../errors.ts'
import type { NewEntry } from './registry.ts'

/** A resource under the URI that the SDKs will look for; its name is the URI's last part unless it has one. */
export function declareResource(uri: string, declaration: object, handler: unknown): NewEntry {
  const name = URL.canParse(uri) ? new URL(uri).href : uri
  return { kind: 'resource', name, handler, declaration: named(declaration, lastPart(uri)) }
}

/** A template, listed by its URI template unless it has a name. */
export function declareTemplate(
  uriTemplate: string,
  declaration: object,
  handler: unknown,
  matches: (uri: string) => boolean,
): NewEntry {
  return {
    kind: 'resource-template',
    name: uriTemplate,
    handler,
    matches,
    declaration: named(declaration, uriTemplate),
  }
}

/** @throws McpGuardError `bad_option` where everybody's caches might keep what is not for everybody */
function named(declaration: object, name: string): object {
  const { cacheHint, scopes } = (declaration ?? {}) as {
    readonly cacheHint?: { cacheScope?: unknown }
    scopes?: unknown
  }
  if (cacheHint?.cacheScope === 'public' && scopes !== 'public') {
    throw new McpGuardError('bad_option', `cacheHint: ${name} is not for everybody, so no shared cache may keep it.`)
  }
  return { name, ...declaration }
}

function lastPart(uri: string): string {
  return String(uri).split(/[/:]/).filter(Boolean).at(-1) ?? String(uri)
}
