import type { Principal } from '@countersign/tokens'

/**
 * Who may use a tool, resource or prompt: whose token has all of these scopes, who has any accepted token, or everybody.
 * There is no default: what says nothing is denied.
 */
export type Access<Scope extends string = string> = readonly [Scope, ...Scope[]] | 'token' | 'public'

/** Nobody has to be behind a call of something public. */
export type PrincipalFor<A> = A extends 'public' ? Principal | undefined : Principal

/** Which scopes a scope brings along: `{ 'code:write': ['code:read'] }`. What those imply is implied, too. */
export type ScopeHierarchy<Scope extends string = string> = { readonly [S in Scope]?: readonly Scope[] }

/** What is guarded, by its kind. */
export type EntryKind = 'tool' | 'resource' | 'resource-template' | 'prompt'

/** One entry of the catalogue: what there is, and what it takes. */
export interface CatalogueEntry<Scope extends string = string> {
  readonly kind: EntryKind
  /** A tool's or prompt's name, a resource's URI, a template's URI template. */
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly access: Access<Scope>
}
