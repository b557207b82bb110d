import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { arch } from 'node:process'
import { createInterface } from 'node:readline'

const triplets: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }
/** Debian's package libfaketime; the variant for programs with threads. */
const library = `/usr/lib/${triplets[arch]}/faketime/libfaketimeMT.so.1`

/** The time of whole processes, moved from outside: wall clock, monotonic clock and timers together. */
export interface FakeTime {
  /** For processes that are to live in it. */
  readonly env: Readonly<Record<string, string>>
  /** Unix seconds by it. */
  now(): number
  pass(seconds: number): Promise<void>
}

/**
 * libfaketime adds an offset from a file, read at each look at the clock (FAKETIME_NO_CACHE), to the machine's clocks, the
 * monotonic one included: so that what measures its waits by it, such as the key ring and every timer, lives through them.
 */
export async function createFakeTime(file: string): Promise<FakeTime> {
  if (!existsSync(library)) throw new Error(`${library} is missing: apt-get install faketime`)
  let offset = 0
  async function set(): Promise<void> {
    // Whole or not at all: it may be read at any time.
    await writeFile(`${file}.next`, `+${offset}\n`)
    await rename(`${file}.next`, file)
  }
  await set()
  return {
    env: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' },
    now: () => Date.now() / 1000 + offset,
    async pass(seconds) {
      offset += seconds
      await set()
    },
  }
}

export interface StartedProcess {
  /** The first line that it printed. */
  readonly said: { readonly url?: string; readonly id?: string; readonly secret?: string }
  close(): Promise<void>
}

/** Starts a program of the rig and waits for its first line of JSON. */
export async function startProcess(program: URL, args: readonly string[], env: object): Promise<StartedProcess> {
  const started: ChildProcess = spawn(process.execPath, [program.pathname, ...args], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(started, 'exit')
  const lines = createInterface({ input: started.stdout ?? process.stdin })
  const line = await Promise.race([
    once(lines, 'line'),
    exited.then(([code]) => Promise.reject(new Error(`exit ${code}`))),
  ])
  return {
    said: JSON.parse(String(line[0])),
    async close() {
      const kill = setTimeout(() => started.kill('SIGKILL'), 5000)
      started.stdin?.end()
      await exited
      clearTimeout(kill)
    },
  }
}
