import { describe, expect, it } from 'vitest'
import { readAccountWords } from '../src/accounts.ts'
import { readConfig } from '../src/config.ts'

const account = { CLIENT_ID: 'client_1', CLIENT_SECRET: 'secret' }

describe('the environment', () => {
  it('in a fleet needs the own account, and nothing else', () => {
    expect(readConfig(account)).toMatchObject({
      mode: 'fleet',
      issuer: 'http://127.0.0.1:4600',
      host: '127.0.0.1',
      logLevel: 'info',
      revocations: 'follow',
      coder: 'http://127.0.0.1:4616/mcp',
      client: { id: 'client_1', secret: 'secret' },
      token: undefined,
    })
  })

  it('alone needs nothing', () => {
    expect(readConfig({ ORCHESTRATOR_MODE: 'standalone' })).toMatchObject({
      mode: 'standalone',
      dataDir: '.mcp-orchestrator',
      workspaces: '.mcp-coder',
      limits: { totalBytes: 67_108_864, workspaces: 100 },
      commands: { limits: { timeMs: 60_000, memoryBytes: 536_870_912, processes: 64 } },
    })
  })

  it('takes every variable that it documents', () => {
    const set = {
      ORCHESTRATOR_MODE: 'standalone',
      DATA_DIR: 'data',
      PUBLIC_URL: 'https://orchestrator.example.com',
      HOST: '127.0.0.2',
      PORT: '4700',
      CODER_WORKSPACES: 'spaces',
      CODER_WORKSPACE_MB: '1',
      CODER_WORKSPACE_COUNT: '2',
      CODER_COMMANDS: 'ls,python3',
      CODER_COMMAND_SECONDS: '3',
      CODER_COMMAND_MB: '16',
      CODER_COMMAND_PROCESSES: '5',
      COUNTERSIGN_LOG_LEVEL: 'warn',
    }
    expect(readConfig(set)).toEqual({
      mode: 'standalone',
      dataDir: 'data',
      publicUrl: 'https://orchestrator.example.com',
      host: '127.0.0.2',
      port: 4700,
      logLevel: 'warn',
      workspaces: 'spaces',
      limits: { totalBytes: 1_048_576, workspaces: 2 },
      commands: { allowed: ['ls', 'python3'], limits: { timeMs: 3_000, memoryBytes: 16_777_216, processes: 5 } },
    })
    expect(readConfig({ ...set, CODER_COMMANDS: 'off' })).toMatchObject({ commands: 'off' })
  })

  it('on stdio needs a token, or a file that has one', () => {
    expect(readConfig({ ...account, MCP_TOKEN: 'a.b.c' }, { stdio: true })).toMatchObject({ token: 'a.b.c' })
    const file = readConfig({ ...account, MCP_TOKEN_FILE: 'token' }, { stdio: true })
    expect(file).toMatchObject({ token: expect.any(Function) })
    // Opt-in: a token in the environment does not make it serve stdin.
    expect(readConfig({ ...account, MCP_TOKEN: 'a.b.c' })).toMatchObject({ token: undefined })
    expect(() => readConfig(account, { stdio: true })).toThrow('MCP_TOKEN')
  })

  const standalone = { ORCHESTRATOR_MODE: 'standalone' }
  it.each<[what: string, variables: Readonly<Record<string, string>>, name: string]>([
    ['no account', {}, 'CLIENT_ID'],
    ['half an account', { CLIENT_ID: 'client_1' }, 'CLIENT_SECRET'],
    ['another mode', { ORCHESTRATOR_MODE: 'both' }, 'ORCHESTRATOR_MODE'],
    ['a coder that is nowhere', { ...account, CODER_URL: 'coder' }, 'CODER_URL'],
    ['an address with a path', { ...standalone, PUBLIC_URL: 'https://a.example.com/mcp' }, 'PUBLIC_URL'],
    ['a word for a number', { ...standalone, CODER_COMMAND_SECONDS: 'long' }, 'CODER_COMMAND_SECONDS'],
    ['too long', { ...standalone, CODER_COMMAND_SECONDS: '3601' }, 'CODER_COMMAND_SECONDS'],
    ['too little memory', { ...standalone, CODER_COMMAND_MB: '1' }, 'CODER_COMMAND_MB'],
    ['no process', { ...standalone, CODER_COMMAND_PROCESSES: '0' }, 'CODER_COMMAND_PROCESSES'],
    ['a command with a path', { ...standalone, CODER_COMMANDS: 'ls,/bin/sh' }, 'CODER_COMMANDS'],
    ['no room', { ...standalone, CODER_WORKSPACE_MB: '0' }, 'CODER_WORKSPACE_MB'],
    ['no workspaces', { ...standalone, CODER_WORKSPACE_COUNT: '0' }, 'CODER_WORKSPACE_COUNT'],
  ])('is refused for %s, by name and without the value', (_what, variables, name) => {
    expect(() => readConfig(variables)).toThrow(name)
  })
})

describe('the words of an account', () => {
  it('name its kind, its name and its scopes', () => {
    expect(readAccountWords(['user', 'ada', 'tasks:run', 'coder:read'])).toEqual({
      kind: 'user',
      name: 'ada',
      scopes: ['tasks:run', 'coder:read'],
    })
  })

  it.each([[[]], [['user']], [['robot', 'x']], [['user', 'ada', 'coder:everything']], [['user', 'ada', 'toString']]])(
    'are not %j',
    (words) => {
      expect(() => readAccountWords(words)).toThrow(expect.objectContaining({ name: 'ConfigError' }))
    },
  )
})
