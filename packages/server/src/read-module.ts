import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ServerError } from './server-error.ts'

/**
 * Reads a JSON file, or a module's export: the named one if there is one, else the default.
 * @throws ServerError `config_unreadable`
 */
export async function readModule(file: string, exportName?: string): Promise<unknown> {
  try {
    if (extname(file) === '.json') return JSON.parse(await readFile(file, 'utf8'))
    const loaded: Record<string, unknown> = await import(pathToFileURL(file).href)
    return (exportName === undefined ? undefined : loaded[exportName]) ?? loaded.default
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new ServerError('config_unreadable', `${file} cannot be read: ${why}`, { cause })
  }
}
