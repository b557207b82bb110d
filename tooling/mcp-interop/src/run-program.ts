import { spawn } from 'node:child_process'

export interface Ended {
  /** Undefined when it was killed. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly timeoutMs: number
}

/** Runs a program to its end, or kills it when it takes too long. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<Ended> {
  const { timeoutMs, ...more } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...more, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? undefined, stdout, stderr })
    })
  })
}
