import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'

/** How bundlers for the edge resolve: a browser's rules, and the conditions that they add. */
export const targets: Readonly<Record<'browser' | 'worker', readonly string[]>> = {
  browser: ['browser'],
  worker: ['edge-light', 'workerd', 'worker', 'browser'],
}

export interface Bundle {
  readonly code: string
  /** What the bundle still imports when it runs. */
  readonly imports: readonly string[]
  /** The files that went into it. */
  readonly inputs: readonly string[]
}

export interface BundleOptions {
  /** A file of the project, or code. */
  readonly entry: { readonly file: string } | { readonly code: string }
  /** Import conditions. */
  readonly conditions: readonly string[]
  readonly format?: 'esm' | 'iife'
}

/** @throws when something cannot be resolved, as `node:` imports cannot for a browser */
export async function bundle(folder: string, { entry, conditions, format = 'esm' }: BundleOptions): Promise<Bundle> {
  const result = await build({
    ...('file' in entry
      ? { entryPoints: [join(folder, entry.file)] }
      : { stdin: { contents: entry.code, resolveDir: folder } }),
    absWorkingDir: folder,
    bundle: true,
    write: false,
    metafile: true,
    outfile: 'bundle.js',
    platform: 'browser',
    conditions: [...conditions],
    format,
    target: 'es2022',
    logLevel: 'silent',
  })
  const { inputs, outputs }: Metafile = result.metafile
  return {
    code: result.outputFiles[0]?.text ?? '',
    imports: Object.values(outputs).flatMap((output) => output.imports.map(({ path }) => path)),
    inputs: Object.keys(inputs),
  }
}
