import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { requireNode } from '../node-binary.mjs'
import { createProgress, Failure } from '../progress.mjs'
import { digestOfManifests } from '../stamp.mjs'
import { cannotInstall, missingOf } from '../system-packages.mjs'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-bootstrap-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('progress', () => {
  function recorded(isTTY: boolean) {
    const written: string[] = []
    let nowMs = 0
    const stream = { write: (text: string) => written.push(text), isTTY, columns: 40 }
    const progress = createProgress({ steps: 2, stream, nowMs: () => nowMs })
    return { written, progress, pass: (ms: number) => (nowMs += ms) }
  }

  it('prints a plain line with its seconds for each step', async () => {
    const { written, progress, pass } = recorded(false)
    await progress.step('install', () => pass(12_340))
    progress.done()
    expect(written).toEqual(['install             12.3 s\n', 'ready               12.3 s\n'])
  })

  it('says which step failed, and hands the failure on', async () => {
    const { written, progress } = recorded(false)
    const failing = progress.step('build', () => Promise.reject(new Failure(2, 'tsc failed', 'mend it')))
    await expect(failing).rejects.toMatchObject({ status: 2, remedy: 'mend it' })
    expect(written).toEqual(['build                0.0 s  failed\n'])
  })

  it('draws a bar on a terminal, no wider than the terminal, and wipes it', async () => {
    const { written, progress } = recorded(true)
    await progress.step('install', (say) => say('x'.repeat(200)))
    const drawn = written.find((text) => text.includes('[--]')) ?? ''
    expect(drawn.replace('\r\x1b[2K', '').length).toBeLessThan(40)
    expect(written.at(-2)).toBe('\r\x1b[2K')
  })
})

describe('the install stamp', () => {
  it('changes with the lockfile and with any manifest, and with nothing else', () => {
    mkdirSync(join(folder, 'packages/one'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{}')
    writeFileSync(join(folder, 'packages/one/package.json'), '{}')
    const before = digestOfManifests(folder)
    writeFileSync(join(folder, 'packages/one/index.ts'), 'export {}')
    expect(digestOfManifests(folder)).toBe(before)
    writeFileSync(join(folder, 'packages/one/package.json'), '{ "name": "one" }')
    const after = digestOfManifests(folder)
    expect(after).not.toBe(before)
    writeFileSync(join(folder, 'pnpm-lock.yaml'), 'lockfileVersion: 9')
    expect(digestOfManifests(folder)).not.toBe(after)
  })
})

describe('the Node in use', () => {
  function nodeOf(version: string) {
    const file = join(folder, `node-${version}`)
    writeFileSync(file, `#!/bin/sh\necho ${version}\n`, { mode: 0o755 })
    return file
  }

  it('is the one that the npm package brings', () => {
    expect(requireNode(nodeOf('v24.21.0'), nodeOf('v20.20.2'))).toContain('node-v24.21.0')
  })

  it("is the machine's own where the package has no binary", () => {
    expect(requireNode(join(folder, 'absent'), nodeOf('v24.14.1'))).toContain('node-v24.14.1')
  })

  it.each(['v24.14.0', 'v22.20.0', 'v25.1.0'])('is not %s, and the failure says what to install', (version) => {
    expect(() => requireNode(join(folder, 'absent'), nodeOf(version))).toThrowError(
      expect.objectContaining({ status: 1, remedy: expect.stringContaining('install Node 24 (24.14.1 or newer)') }),
    )
  })
})

describe("Debian's packages", () => {
  const needed = [{ package: 'strace', command: 'strace', why: 'durability' }]
  const debian = { platform: 'linux', root: true, apt: true }

  it('are missing when their command is on no path', () => {
    const path = join(folder, 'bin')
    mkdirSync(path)
    expect(missingOf([{ package: 'a', command: 'no-such-command', why: '' }], path)).toHaveLength(1)
    writeFileSync(join(path, 'no-such-command'), '', { mode: 0o755 })
    expect(missingOf([{ package: 'a', command: 'no-such-command', why: '' }], path)).toEqual([])
  })

  it('are missing when their command is there and fails, as one that imports a module', () => {
    const node = { package: 'a', command: process.execPath, why: '' }
    const fs = { ...node, arguments: ['-e', 'require("node:fs")'] }
    const none = { ...node, arguments: ['-e', 'require("no-such-module")'] }
    expect(missingOf([node, fs, none], '')).toEqual([none])
  })

  it('can be installed by root on Debian', () => {
    expect(cannotInstall(needed, debian)).toBeUndefined()
  })

  it.each([
    ['somebody who is not root', { ...debian, root: false }, 'apt-get install -y --no-install-recommends strace'],
    ['a Linux without apt', { ...debian, apt: false }, 'strace'],
    ['another system', { ...debian, platform: 'darwin' }, 'Linux'],
  ])('are named exactly to %s', (_who, machine, words) => {
    const failure = cannotInstall(needed, machine)
    expect(failure?.status).toBe(1)
    expect(failure?.output).toContain('strace: durability')
    expect(failure?.remedy).toContain(words)
  })
})
