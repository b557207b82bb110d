// Runs a program: quietly, keeping its last lines for the case that it fails, or in the foreground as the job itself.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { StringDecoder } from 'node:string_decoder'
import { Failure } from './progress.mjs'

const keptLines = 60

/**
 * The exit status that a shell would report.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
export function statusOf(code, signal) {
  return signal === null ? (code ?? 1) : 128 + constants.signals[signal]
}

/**
 * Runs a command to its end without showing what it prints; a failure carries its status and its last lines.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {object} options
 * @param {string} options.what for the message of a failure
 * @param {string} options.remedy
 * @param {string} options.cwd
 * @param {NodeJS.ProcessEnv} options.env
 * @param {import('./progress.mjs').Say} [options.say]
 * @param {boolean} [options.shell]
 * @returns {Promise<string>} what it printed on stdout
 */
export function runQuietly(file, args, { what, remedy, cwd, env, say = () => {}, shell = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = forwardSignals(child, 'at once')
    /** @type {string[]} */
    const lines = []
    let out = ''
    for (const stream of [child.stdout, child.stderr]) {
      const decoder = new StringDecoder('utf8')
      stream.on('data', (chunk) => {
        const text = decoder.write(chunk)
        if (stream === child.stdout) out += text
        for (const line of text.split(/\r?\n/)) {
          if (line.trim() === '') continue
          lines.push(line)
          say(line.trim())
        }
        if (lines.length > keptLines) lines.splice(0, lines.length - keptLines)
      })
    }
    child.once('error', (error) => {
      stop()
      reject(new Failure(1, `${what} could not be started: ${error.message}`, remedy))
    })
    child.once('close', (code, signal) => {
      stop()
      const status = statusOf(code, signal)
      if (status === 0) return resolve(out)
      const tail = lines.map((line) => `    ${line}\n`).join('')
      reject(new Failure(status, `${what} failed with status ${status}. The last that it said:`, remedy, tail))
    })
  })
}

/**
 * Runs a command in the foreground, with our stdin, stdout and stderr, and hands signals on.
 *
 * @param {string} file
 * @param {string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its status
 */
export function runInForeground(file, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, stdio: 'inherit' })
    // A terminal sends Ctrl-C to every process of the group: the child has it already, a second one would hurry it.
    const stop = forwardSignals(child, process.stdin.isTTY === true ? 'never' : 'late')
    const unwatch = onOrphaned(() => child.kill('SIGTERM'))
    child.once('error', reject)
    child.once('close', (code, signal) => {
      stop()
      unwatch()
      resolve(statusOf(code, signal))
    })
  })
}

/**
 * While this holds, a signal to us does not end us: it goes to the child, whose end is ours.
 * @param {import('node:child_process').ChildProcess} child
 * @param {'at once' | 'late' | 'never'} interrupts when SIGINT is handed on; late: not to a child that ends by itself
 */
function forwardSignals(child, interrupts) {
  /** @type {[NodeJS.Signals, () => void][]} */
  const handlers = /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP']).map((signal) => [
    signal,
    () => {
      if (signal !== 'SIGINT' || interrupts === 'at once') child.kill(signal)
      else if (interrupts === 'late') setTimeout(() => child.kill(signal), 500).unref()
    },
  ])
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}

/**
 * Calls back when the process that started us is gone. npm hands a signal to the shell between it and us, which ends
 * without handing it on: nobody would be left to end the job.
 * @param {() => void} call
 */
function onOrphaned(call) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    call()
  }, 250)
  return () => clearInterval(timer)
}
