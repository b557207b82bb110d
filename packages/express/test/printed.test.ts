import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)

/** Which blocks of a page are one program: those that go on from each other. Pages of docs/ have a check of their own. */
const pages: readonly [page: string, programs: readonly (readonly number[])[]][] = [
  ['packages/tokens/README.md', [[0], [1], [2], [3]]],
  ['packages/guard/README.md', [[0], [1], [2], [3], [4], [5]]],
  ['packages/express/README.md', [[0, 1], [2]]],
]

/** What the pages leave to the reader: names that speak for themselves. */
const placeholders = `
declare const token: string
declare const accessToken: string
declare const privateJwk: import('@countersign/tokens/dpop').DpopPrivateJwk
declare const principal: import('@countersign/tokens').Principal
declare const postChat: import('express').RequestHandler
declare const deleteAgent: import('express').RequestHandler
declare function hangUp(reason: string): void
declare function reply(code: string, missing: readonly string[] | undefined): void
declare function getToken(): Promise<string>
declare function log(event: unknown): void
`

/** The reader's own `consumers.js`. */
const matrix = `import { defineConsumers } from '@countersign/consumers'
export const consumers = defineConsumers({
  'agent-api': { scopes: ['agents:read', 'agents:write', 'chat:write'], obtainedBy: 'sign-in' },
})
`

const subpaths = ['tokens/jwks', 'tokens/dpop', 'guard/http', 'tokens', 'guard', 'express', 'consumers']

function typesOf(subpath: string): string {
  const [name = '', part = 'index'] = subpath.split('/')
  return fileURLToPath(new URL(`packages/${name}/dist/${part}.d.ts`, root))
}

it('is printed in pages whose every program compiles, strictly and with the declarations looked at too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-printed-'))
  try {
    // Express and its types, as this package has them.
    await symlink(fileURLToPath(new URL('../node_modules', import.meta.url)), join(folder, 'node_modules'))
    await writeFile(`${folder}/placeholders.d.ts`, placeholders)
    await writeFile(`${folder}/consumers.ts`, matrix)
    for (const [page, programs] of pages) {
      const text = await readFile(new URL(page, root), 'utf8')
      const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => code)
      expect(programs.flat(), page).toEqual(blocks.map((_, index) => index))
      for (const program of programs) {
        const name = `${page.replace(/\W+/g, '-')}-${program[0]}`
        await writeFile(`${folder}/${name}.ts`, `${program.map((index) => blocks[index]).join('\n')}\nexport {}\n`)
      }
    }
    const compilerOptions = {
      ...{ module: 'nodenext', target: 'es2023', types: ['node'], strict: true, skipLibCheck: false, noEmit: true },
      exactOptionalPropertyTypes: true,
      typeRoots: [fileURLToPath(new URL('node_modules/@types', root))],
      paths: Object.fromEntries(subpaths.map((subpath) => [`@countersign/${subpath}`, [typesOf(subpath)]])),
    }
    await writeFile(`${folder}/package.json`, JSON.stringify({ type: 'module' }))
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))
    const compiled = promisify(execFile)(process.execPath, [compiler, '-p', folder])
    const errors = await compiled.then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    )
    expect(errors).toBe('')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
