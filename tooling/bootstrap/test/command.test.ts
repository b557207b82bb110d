import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runQuietly } from '../command.mjs'

const options = { what: 'the tool', remedy: 'look', cwd: process.cwd(), env: process.env }
const node = process.execPath

describe('a quiet command', () => {
  it('gives back what it printed', async () => {
    await expect(runQuietly(node, ['-e', 'console.log("ä")'], options)).resolves.toBe('ä\n')
  })

  it('fails with the same status and its last lines', async () => {
    const script = 'for (let i = 0; i < 100; i++) console.error("line " + i); process.exit(7)'
    await expect(runQuietly(node, ['-e', script], options)).rejects.toMatchObject({
      status: 7,
      remedy: 'look',
      output: expect.stringMatching(/^ {4}line 40\n[\s\S]* {4}line 99\n$/),
    })
  })

  it('fails as a shell would say it when a signal ended it', async () => {
    await expect(runQuietly(node, ['-e', 'process.kill(process.pid, "SIGKILL")'], options)).rejects.toMatchObject({
      status: 137,
    })
  })

  it('fails when there is no such program', async () => {
    await expect(runQuietly('no-such-program', [], options)).rejects.toMatchObject({ status: 1 })
  })
})

describe('the job in the foreground', () => {
  const command = fileURLToPath(new URL('../command.mjs', import.meta.url))

  /** A run.mjs in small: hands its child's status on. */
  function parentOf(child: string) {
    const script = `
      import { runInForeground } from ${JSON.stringify(command)}
      process.exitCode = await runInForeground(process.execPath, ['-e', ${JSON.stringify(child)}], { cwd: '.', env: process.env })`
    return spawn(node, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  }

  it.each(['SIGINT', 'SIGTERM'] as const)('gets a %s, and its status is ours', async (signal) => {
    const parent = parentOf(
      `process.on('${signal}', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up')`,
    )
    await once(parent.stdout, 'data')
    parent.kill(signal)
    await expect(once(parent, 'close')).resolves.toEqual([5, null])
  })

  it('is ended when the shell between npm and us is gone', async () => {
    const job = `process.on('SIGTERM', () => { console.log('told to end'); process.exit(0) }); setInterval(() => {}, 1000); console.log('up')`
    const script = `import { runInForeground } from ${JSON.stringify(command)}
      await runInForeground(process.execPath, ['-e', ${JSON.stringify(job)}], { cwd: '.', env: process.env })`
    // `:` keeps the shell from becoming the program itself.
    const shell = spawn('sh', ['-c', '"$0" --input-type=module -e "$1"; :', node, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(shell.stdout, 'data')
    shell.kill('SIGTERM')
    const [said] = await once(shell.stdout, 'data')
    expect(String(said)).toBe('told to end\n')
  })

  it('leaves with 128 + n when a signal ended it', async () => {
    const parent = parentOf('process.kill(process.pid, "SIGTERM")')
    await expect(once(parent, 'close')).resolves.toEqual([143, null])
  })
})
