import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const source = new URL('../src/', import.meta.url)

it('uses no Node API outside src/node', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.startsWith('node'),
  )
  expect(files.length).toBeGreaterThan(30)
  for (const name of files) {
    const text = readFileSync(new URL(name, source), 'utf8').replace(/\/\*.*?\*\/|^\s*\/\/.*$/gms, '')
    expect(text, name).not.toMatch(/from 'node:|\bBuffer\b|\bprocess\.|require\(/)
  }
})

it('runs on the default condition, with WebCrypto alone', () => {
  // The built package, resolved as a worker would: a process of its own, since conditions are a process's.
  const program = `
    import { readFileSync } from 'node:fs'
    const { engine } = await import(new URL('./dist/engine.js', ${JSON.stringify(new URL('../', import.meta.url).href)}))
    const vectors = JSON.parse(readFileSync(${JSON.stringify(fileURLToPath(new URL('vectors/rfc8037-appendix-a.json', import.meta.url)))}, 'utf8'))
    const [header, payload, signature] = vectors.jws.split('.')
    const key = engine.ed25519.importKey(engine.decodeBytes(vectors.jwk.x))
    const data = new TextEncoder().encode(header + '.' + payload)
    console.log(await key.verify(data, engine.decodeBytes(signature)), key.verifySync)
  `
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  expect(output.trim()).toBe('true undefined')
})
