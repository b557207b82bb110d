import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'

const packageDir = join(import.meta.dirname, '..')

it('shows an example in its README that runs', async () => {
  const readme = await readFile(join(packageDir, 'README.md'), 'utf8')
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  // Inside the package, so that its own name and its dependencies resolve.
  const directory = await mkdtemp(join(packageDir, 'node_modules', '.readme-'))
  const before = process.cwd()
  try {
    const file = join(directory, 'example.ts')
    await writeFile(file, `${example}\nexport { body, headers, outcome, token }\n`)
    process.chdir(directory)
    const { body, headers, outcome, token } = await import(pathToFileURL(file).href)
    expect(token.split('.')).toHaveLength(3)
    expect(JSON.parse(body).keys.length).toBeGreaterThan(0)
    expect(headers['Content-Type']).toBe('application/jwk-set+json')
    expect(outcome).toMatchObject({ done: false, waitingFor: ['propagation'] })
  } finally {
    process.chdir(before)
    await rm(directory, { recursive: true })
  }
})
