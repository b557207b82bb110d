import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../src/config.ts'

describe('the environment', () => {
  it('needs nothing', () => {
    const { commands, ...rest } = readConfig({})
    expect(rest).toEqual({
      issuer: 'http://127.0.0.1:4600',
      host: '127.0.0.1',
      logLevel: 'info',
      revocations: 'follow',
      workspaces: '.mcp-coder',
      limits: { totalBytes: 67_108_864, workspaces: 100 },
      token: undefined,
    })
    expect(commands).toMatchObject({ allowed: expect.arrayContaining(['ls', 'python3']) })
  })

  it('may switch commands off', () => {
    expect(readConfig({ CODER_COMMANDS: 'off' })).toMatchObject({ commands: 'off' })
  })

  it('on stdio needs a token, or a file that is read each time', async () => {
    expect(() => readConfig({}, { stdio: true })).toThrow('MCP_TOKEN')
    const folder = await mkdtemp(join(tmpdir(), 'countersign-coder-'))
    try {
      const file = join(folder, 'token')
      const { token } = readConfig({ MCP_TOKEN_FILE: file }, { stdio: true })
      if (typeof token !== 'function') throw new Error('no function')
      for (const text of ['one', 'two']) {
        await writeFile(file, `${text}\n`)
        expect(await token()).toBe(text)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it.each([
    ['CODER_COMMANDS', '../sh'],
    ['CODER_COMMANDS', 'ls,'],
    ['CODER_COMMAND_SECONDS', '0'],
    ['CODER_COMMAND_MB', '15'],
    ['CODER_WORKSPACE_MB', '1.5'],
    ['PORT', '65536'],
    ['COUNTERSIGN_ISSUER', 'ftp://127.0.0.1'],
  ])('is refused with %s=%s, by name', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(name)
  })
})
