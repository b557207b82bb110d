import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram, startProgram } from '@countersign-apps/kit/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'

const main = new URL('../dist/main.js', import.meta.url)

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'countersign-runboard-main-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

it('says what is a stand-in, serves the page, and leaves no file behind', async () => {
  const program = startProgram(main, { cwd: home, variables: { HOME: home, PORT: '0' } })
  try {
    await program.said('Ctrl-C ends it.')
    expect(program.printed()).toContain('Clerk and Convex are stand-ins here')
    const url = /runboard: (http:\S+)/.exec(program.printed())?.[1] ?? ''
    const answer = await fetch(url)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect((await fetch(`${url}/assets/main.js`)).status).toBe(200)
  } finally {
    program.child.kill('SIGTERM')
  }
  expect(await program.exit).toEqual([0, null])
  expect(await readdir(home, { recursive: true })).toEqual([])
})

it('ends with 2 when it is called wrongly', async () => {
  const { code, stderr } = await runProgram(main, { cwd: home, variables: { HOME: home, PORT: 'here' } })
  expect([code, stderr]).toEqual([2, expect.stringContaining('PORT')])
})
