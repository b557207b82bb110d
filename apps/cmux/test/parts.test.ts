import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConsumers } from '@countersign/consumers'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { consumers } from '../src/consumer.ts'
import { exposedAt } from '../src/password/exposed-at.ts'
import { quoteWord, splitCommand } from '../src/web/split-command.ts'

describe('a line of the page', () => {
  it.each([
    ['git status', ['git', 'status']],
    ['  ls   -la\t', ['ls', '-la']],
    ['', []],
    ['echo "a b" c', ['echo', 'a b', 'c']],
    [`echo 'a "b"' "it's"`, ['echo', 'a "b"', "it's"]],
    [String.raw`echo a\ b "q\"q" 'b\n'`, ['echo', 'a b', 'q"q', String.raw`b\n`]],
    [`printf '' ""`, ['printf', '', '']],
    ['a"b"c', ['abc']],
    ['echo $HOME `id` ; rm * | cat > x &', ['echo', '$HOME', '`id`', ';', 'rm', '*', '|', 'cat', '>', 'x', '&']],
  ])('%s', (line, words) => {
    expect(splitCommand(line)).toEqual(words)
  })

  it.each(['echo "a', "echo 'a", 'echo a\\'])('%s is not finished', (line) => {
    expect(() => splitCommand(line)).toThrow(expect.objectContaining({ name: 'CommandLineError' }))
  })

  it('is shown so that it reads back as the same words', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 6 }), (words) => {
        expect(splitCommand(words.map(quoteWord).join(' '))).toEqual(words)
      }),
    )
  })
})

describe('processes that have the password in their environment', () => {
  let proc: string
  beforeEach(async () => {
    proc = await mkdtemp(join(tmpdir(), 'countersign-cmux-proc-'))
  })
  afterEach(() => rm(proc, { recursive: true }))

  async function put(pid: string, environ: string, comm = 'npm start'): Promise<void> {
    await mkdir(join(proc, pid))
    await writeFile(join(proc, pid, 'environ'), environ)
    await writeFile(join(proc, pid, 'comm'), `${comm}\n`)
  }

  it('are found by the very value, wherever it stands', async () => {
    await put('10', 'CMUX_AUTH_PASSWORD=s3cret\0PATH=/bin\0')
    await put('11', 'PATH=/bin\0CMUX_AUTH_PASSWORD=s3cret\0', 'bash')
    await put('12', 'PATH=/bin\0CMUX_AUTH_PASSWORD=another\0')
    await put('13', 'CMUX_AUTH_PASSWORD=s3cretly\0')
    await put('14', 'MY_CMUX_AUTH_PASSWORD=s3cret\0')
    await mkdir(join(proc, '15'))
    await mkdir(join(proc, 'self'))
    const found = exposedAt('s3cret', proc)
    expect([...found].sort((one, other) => one.pid - other.pid)).toEqual([
      { pid: 10, name: 'npm start' },
      { pid: 11, name: 'bash' },
    ])
  })

  it('are none where there is no such folder', () => {
    expect(exposedAt('s3cret', join(proc, 'nowhere'))).toEqual([])
  })
})

describe('the consumer matrix', () => {
  it('has nothing to say against it but that tokens live long, as they are meant to', () => {
    expect(checkConsumers(consumers, { ed25519Only: true }).map(({ code }) => code)).toEqual(['long_life'])
  })
})
