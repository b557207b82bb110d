import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { PackedProject } from './packed-project.ts'
import { run } from './run.ts'

const require = createRequire(import.meta.url)
const compilers = {
  '5.4': require.resolve('typescript-5.4/lib/tsc.js'),
  '5.9': require.resolve('typescript-5.9/lib/tsc.js'),
}

/** What a compiler says of the project's own files and of every declaration that they reach, in a strict project. */
export async function typeErrors(
  { folder, entries }: PackedProject,
  version: keyof typeof compilers,
  resolution: 'NodeNext' | 'Bundler',
): Promise<string[]> {
  const name = `${version}-${resolution}`
  await writeFile(
    join(folder, `every-entry-${name}.ts`),
    `${entries.map((entry, index) => `import * as entry${index} from '${entry}'`).join('\n')}
export const entries = [${entries.map((_, index) => `entry${index}`).join(', ')}]\n`,
  )
  const settings = {
    compilerOptions: {
      target: 'ES2022',
      lib: ['ES2022', 'WebWorker'],
      module: resolution === 'Bundler' ? 'ESNext' : 'NodeNext',
      moduleResolution: resolution,
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      verbatimModuleSyntax: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      skipLibCheck: false,
      types: [],
    },
    include: ['src', `every-entry-${name}.ts`],
  }
  const file = join(folder, `tsconfig-${name}.json`)
  await writeFile(file, JSON.stringify(settings))
  const { status, output } = await run(process.execPath, [compilers[version], '-p', file], folder)
  return status === 0 ? [] : output.trim().split('\n')
}
