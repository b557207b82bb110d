import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type CommandLimits, type Commands, createCommands } from '../src/commands/commands.ts'
import { OutputText, outputLimits } from '../src/commands/output.ts'
import { createFeed, type Feed, type FeedEvent } from '../src/feed.ts'

let folder: string
let feed: Feed
const started: Commands[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-cmux-commands-'))
  feed = createFeed({ now: () => 1_800_000_000 })
})
afterEach(async () => {
  for (const commands of started.splice(0)) await commands.close()
  await rm(folder, { recursive: true })
})

function commandsWith(limits: Partial<CommandLimits> = {}): Commands {
  const environment = { PATH: process.env.PATH ?? '' }
  const commands = createCommands({ feed, workdir: folder, environment, limits })
  started.push(commands)
  return commands
}

const sh = (script: string): readonly string[] => ['sh', '-c', script]

const eventsOf = (id: string): readonly FeedEvent[] =>
  feed.page().events.filter((event) => 'command' in event && event.command === id)
const printed = (id: string): string =>
  eventsOf(id).reduce((all, event) => (event.type === 'command.output' ? all + event.text : all), '')

/** What became of a command, once it is over. */
async function outcome(id: string): Promise<{ text: string; end: FeedEvent | undefined }> {
  await expect.poll(() => eventsOf(id).at(-1)?.type).toBe('command.ended')
  return { text: printed(id), end: eventsOf(id).at(-1) }
}

/** What has ended but was not fetched by its parent yet is not alive. */
function alive(pid: string): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('a command', () => {
  it('runs in the configured folder, with the configured environment and no input', async () => {
    const { id } = commandsWith().run(sh('pwd; env; cat; echo rest'))
    const { text, end } = await outcome(id)
    expect(text).toContain(`${folder}\n`)
    expect(text.split('\n').filter((line) => /^[A-Z_]+=/.test(line) && !line.startsWith('PWD='))).toEqual([
      `PATH=${process.env.PATH}`,
    ])
    expect(text).toMatch(/rest\n$/)
    expect(end).toMatchObject({ reason: 'exited', code: 0, signal: null })
  })

  it.each<[why: string, argv: unknown]>([
    ['nothing', []],
    ['a line instead of words', 'ls -la'],
    ['an empty program', ['']],
    ['a number', [1]],
    ['NUL', ['echo', 'a\0b']],
    ['65 words', Array.from({ length: 65 }, () => 'x')],
    ['a word of 4,097 characters', ['echo', 'x'.repeat(4_097)]],
    ['more than 16,384 characters', Array.from({ length: 5 }, () => 'x'.repeat(4_000))],
    ['undefined', undefined],
  ])('is not made of %s', (_why, argv) => {
    expect(() => commandsWith().run(argv)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    expect(feed.page().events).toEqual([])
  })

  it('that is no program says so', async () => {
    const { id } = commandsWith().run(['/no/such/program'])
    expect((await outcome(id)).end).toMatchObject({ reason: 'not_started', code: null })
  })

  it('that takes too long is ended, with what it started, also when it will not listen', async () => {
    // Its time passes when the shell has got so far, however long that took.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { id } = commandsWith({ timeMs: 600_000, graceMs: 200 }).run(
      sh('trap "" TERM; sleep 600 & echo $!; wait; sleep 600'),
    )
    await expect
      .poll(() => {
        vi.advanceTimersByTime(outputLimits.waitMs)
        return printed(id)
      })
      .toMatch(/^\d+\n$/)
    vi.advanceTimersByTime(600_000)
    vi.advanceTimersByTime(200)
    const { text, end } = await outcome(id)
    expect(end).toMatchObject({ reason: 'time_limit', signal: 'SIGKILL' })
    await expect.poll(() => alive(text.trim())).toBe(false)
  })

  it('that prints too much is ended, and no more than the limit is kept', async () => {
    const { id } = commandsWith({ outputBytes: 10_000, graceMs: 200 }).run(['yes'])
    const { text, end } = await outcome(id)
    expect(end).toMatchObject({ reason: 'output_limit' })
    expect(text.length).toBe(10_000)
  })

  it('that leaves a process behind is over when it exits, and takes that along', async () => {
    const { id } = commandsWith().run(sh('sleep 600 & echo $!'))
    const { text, end } = await outcome(id)
    expect(end).toMatchObject({ reason: 'exited', code: 0 })
    await expect.poll(() => alive(text.trim())).toBe(false)
  })

  it('that hides a process with its pipes is over all the same', async () => {
    const file = join(folder, 'pid')
    const { id } = commandsWith({ graceMs: 200 }).run(
      sh(`setsid sh -c 'echo $$ > ${file}; exec sleep 600' & until [ -s ${file} ]; do sleep 0.05; done`),
    )
    expect((await outcome(id)).end).toMatchObject({ reason: 'exited' })
    process.kill(Number(await readFile(file, 'utf8')), 'SIGKILL')
  })

  it('is one too many past the limit, until another ends', async () => {
    const commands = commandsWith({ concurrent: 2, graceMs: 200 })
    const first = commands.run(['sleep', '600'])
    commands.run(['sleep', '600'])
    expect(() => commands.run(['true'])).toThrow(expect.objectContaining({ code: 'limit_reached' }))
    expect(commands.list().map(({ argv }) => argv)).toEqual([
      ['sleep', '600'],
      ['sleep', '600'],
    ])
    commands.stop(first.id)
    expect((await outcome(first.id)).end).toMatchObject({ reason: 'stopped' })
    expect((await outcome(commands.run(['true']).id)).end).toMatchObject({ code: 0 })
  })

  it('ends when cmux closes, and none begins then', async () => {
    const commands = commandsWith({ graceMs: 200 })
    const { id } = commands.run(sh('trap "" TERM; sleep 600'))
    await commands.close()
    expect((await outcome(id)).end).toMatchObject({ reason: 'closing' })
    expect(() => commands.run(['true'])).toThrow(expect.objectContaining({ code: 'limit_reached' }))
  })

  it('prints text only: no orders to a terminal, no half characters', async () => {
    // The pause parts the character, mostly; where it does not, the same is printed.
    const { id } = commandsWith().run(
      sh(String.raw`printf '\033[31mred\033[0m \033]0;title\007ok\a\r\n\tend \342'; sleep 0.2; printf '\202\254'`),
    )
    expect((await outcome(id)).text).toBe('red ok\n\tend €')
  })

  it('prints no half of a character where a long text is parted', () => {
    const texts: string[] = []
    const output = new OutputText((text) => texts.push(text))
    output.push(Buffer.from(`x${'😀'.repeat(outputLimits.characters)}`))
    output.end()
    expect(texts.length).toBeGreaterThan(2)
    for (const text of texts)
      expect([text.isWellFormed(), text.length <= outputLimits.characters]).toEqual([true, true])
    expect(texts.join('')).toBe(`x${'😀'.repeat(outputLimits.characters)}`)
  })
})

describe('the feed', () => {
  it('keeps the newest, by number and by size, and tells them from those of another start', () => {
    const small = createFeed({ now: () => 1 }, { events: 3 })
    for (const text of ['a', 'b', 'c', 'd']) small.append({ type: 'note', text })
    const { epoch, events } = small.page()
    expect(events.map(({ id }) => id)).toEqual([2, 3, 4])
    expect(small.page({ after: 3, epoch }).events.map(({ id }) => id)).toEqual([4])
    expect(small.page({ after: 3, epoch: 'another' }).events).toHaveLength(3)
    expect(small.page({ limit: 1 }).events.map(({ id }) => id)).toEqual([4])
    const narrow = createFeed({ now: () => 1 }, { characters: 1_000 })
    for (let count = 0; count < 10; count += 1) narrow.append({ type: 'note', text: 'x'.repeat(300) })
    expect(narrow.page().events).toHaveLength(2)
    narrow.append({ type: 'note', text: 'x'.repeat(5_000) })
    expect(narrow.page().events).toHaveLength(1)
  })

  it('is read in parts that add up to it, each as large as one frame may be', () => {
    const parted = createFeed({ now: () => 1 }, { partCharacters: 1_000 })
    for (const length of [300, 300, 300, 5_000, 300]) parted.append({ type: 'note', text: 'x'.repeat(length) })
    const ids: number[][] = []
    for (let after = 0, more = true; more; ) {
      const part = parted.part({ after, epoch: parted.page().epoch })
      ids.push(part.events.map(({ id }) => id))
      after = part.events.at(-1)?.id ?? 0
      more = part.more
    }
    expect(ids).toEqual([[1, 2], [3], [4], [5]])
    expect(parted.part({ after: 5 })).toMatchObject({ events: [], more: false })
    expect(parted.part({ after: 5, epoch: 'another' }).events).toHaveLength(2)
    expect(createFeed({ now: () => 1 }).part()).toMatchObject({ events: [], more: false })
  })

  it('tells each subscriber until it leaves', () => {
    const seen: number[] = []
    const stop = feed.subscribe(({ id }) => seen.push(id))
    feed.append({ type: 'note', text: 'one' })
    stop()
    feed.append({ type: 'note', text: 'two' })
    expect(seen).toEqual([1])
  })
})
