import { readdir } from 'node:fs/promises'
import type { ConvexModules } from '@countersign/clerk-convex/testing'
import type { AuthConfig, GenericSchema, SchemaDefinition } from 'convex/server'

const folder = new URL('../../src/convex/', import.meta.url)

/** The functions as they are: Node runs their sources, as Convex bundles them. */
export async function loadFunctions(): Promise<ConvexModules> {
  const names = await readdir(folder, { recursive: true })
  const modules = names.filter((name) => /\.(ts|js)$/.test(name) && !/(\.d\.ts|auth\.config\.ts)$/.test(name))
  return Object.fromEntries(modules.map((name) => [`./${name.replaceAll('\\', '/')}`, () => load(name)]))
}

export async function loadAuthConfig(): Promise<AuthConfig> {
  const { default: config }: { default: AuthConfig } = await load('auth.config.ts')
  return config
}

export async function loadSchema(): Promise<SchemaDefinition<GenericSchema, true>> {
  const { default: schema }: { default: SchemaDefinition<GenericSchema, true> } = await load('schema.ts')
  return schema
}

// Not imported: they are compiled by nobody, and read their settings when they are loaded.
const load = (name: string) => import(new URL(name, folder).href)
