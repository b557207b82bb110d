import { EdgeRuntime } from 'edge-runtime'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Question } from '../consumer/judge.ts'
import { bundle, targets } from '../harness/bundle.ts'
import { type Opened, openScripts } from '../harness/chromium.ts'
import { type Issuer, startIssuer } from '../harness/issuer.ts'
import { installPacked, type PackedProject } from '../harness/packed-project.ts'
import { typeErrors } from '../harness/type-errors.ts'

let project: PackedProject
let issuer: Issuer

beforeAll(async () => {
  ;[project, issuer] = await Promise.all([installPacked(), startIssuer()])
})
afterAll(async () => {
  await issuer?.close()
  project?.remove()
})

describe.each(Object.entries(targets))('bundled for a %s', (_target, conditions) => {
  it('every entry point is without Node', async () => {
    expect(project.entries).toEqual(
      expect.arrayContaining([
        '@countersign/tokens',
        '@countersign/tokens/jwks',
        '@countersign/tokens/hs256',
        '@countersign/guard',
        '@countersign/guard/http',
        '@countersign/consumers',
      ]),
    )
    for (const entry of project.entries) {
      const { code, imports, inputs } = await bundle(project.folder, {
        entry: { code: `export * from '${entry}'` },
        conditions,
      })
      expect(imports, entry).toEqual([])
      expect(inputs.join('\n'), entry).toContain(`node_modules/${entry.split('/').slice(0, 2).join('/')}/dist/`)
      expect(inputs.join('\n'), entry).not.toContain('/dist/node/')
      expect(code, entry).not.toMatch(/["']node:|\brequire\(|\bprocess\.|\bBuffer\b/)
    }
  })

  it('a consumer is made of the tarballs alone', async () => {
    const { inputs } = await bundle(project.folder, { entry: { file: 'src/edge-worker.ts' }, conditions })
    expect(inputs.filter((input) => !/^(src|node_modules)\//.test(input))).toEqual([])
  })
})

it('would notice Node in a bundle', async () => {
  const withNode = bundle(project.folder, { entry: { file: 'src/page.ts' }, conditions: ['node'] })
  await expect(withNode).rejects.toThrow('Could not resolve "node:crypto"')
})

describe("in edge-runtime's VM", () => {
  let runtime: EdgeRuntime
  beforeAll(async () => {
    const worker = { entry: { file: 'src/edge-worker.ts' }, conditions: targets.worker, format: 'iife' } as const
    const { code } = await bundle(project.folder, worker)
    runtime = new EdgeRuntime({
      initialCode: code,
      extend: (context) => Object.assign(context, { ISSUER: issuer.origin }),
    })
  })

  it('tells good tokens from forged and expired ones', async () => {
    const { question, answers } = issuer.exam
    const response = await runtime.dispatchFetch('http://edge.test/judge', {
      method: 'POST',
      body: JSON.stringify(question),
    })
    expect(await response.json()).toEqual(answers)
  })

  it('guards a worker', async () => {
    const ask = async (headers: Record<string, string>) => {
      const response = await runtime.dispatchFetch('http://edge.test/agents', { headers })
      return [response.status, await response.json(), response.headers.get('www-authenticate')]
    }
    expect(await ask({ authorization: `Bearer ${issuer.token()}` })).toEqual([200, { for: 'user_1' }, null])
    expect(await ask({})).toEqual([401, expect.objectContaining({ error: 'unauthorized' }), 'Bearer'])
    expect(await ask({ authorization: `Bearer ${issuer.token({ scope: 'other' })}` })).toEqual([
      403,
      expect.objectContaining({ error: 'insufficient_scope' }),
      expect.stringContaining('scope="agents:read"'),
    ])
    expect(await ask({ authorization: `Bearer ${issuer.token({ aud: 'billing' })}` })).toEqual([
      401,
      expect.objectContaining({ error: 'invalid_token' }),
      expect.stringContaining('error="invalid_token"'),
    ])
  })
})

describe('in Chromium', () => {
  let opened: Opened
  beforeAll(async () => {
    const [page, worker] = await Promise.all([
      bundle(project.folder, { entry: { file: 'src/page.ts' }, conditions: targets.browser }),
      bundle(project.folder, { entry: { file: 'src/web-worker.ts' }, conditions: targets.worker }),
    ])
    opened = await openScripts({ 'page.js': page.code, 'worker.js': worker.code })
  })
  afterAll(() => opened?.close())

  it('a page tells good tokens from forged and expired ones, with keys of another origin', async () => {
    const before = issuer.asked.length
    const { question, answers } = issuer.exam
    const verdicts = await opened.page.evaluate(
      (asked) => (globalThis as unknown as { judge(asked: Question): Promise<unknown> }).judge(asked),
      question,
    )
    expect(verdicts).toEqual(answers)
    const asked = issuer.asked.slice(before)
    expect(asked).toContain('GET /keys')
    expect(asked.filter((one) => one.startsWith('OPTIONS'))).toEqual([])
    expect(opened.complaints).toEqual([])
  })

  it('so does a web worker', async () => {
    const { question, answers } = issuer.exam
    const verdicts = await opened.page.evaluate((asked) => {
      const { Worker } = globalThis as unknown as { Worker: new (url: string, options: object) => MessagePortLike }
      interface MessagePortLike {
        onmessage: (event: { data: unknown }) => void
        onerror: (event: { message: string }) => void
        postMessage(data: unknown): void
      }
      return new Promise((resolve, reject) => {
        const worker = new Worker('/worker.js', { type: 'module' })
        worker.onmessage = ({ data }) => resolve(data)
        worker.onerror = ({ message }) => reject(new Error(message))
        worker.postMessage(asked)
      })
    }, question)
    expect(verdicts).toEqual(answers)
  })
})

describe.each(['5.4', '5.9'] as const)('under TypeScript %s, with skipLibCheck off', (version) => {
  it.each(['NodeNext', 'Bundler'] as const)('the types of every entry point hold (%s)', async (resolution) => {
    expect(await typeErrors(project, version, resolution)).toEqual([])
  })
})
